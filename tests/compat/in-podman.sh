#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# in-podman.sh DIR COMMAND...: run it in a container that Podman makes with its defaults: profile of system calls, capabilities,
# namespaces, user. Its system is that of the machine, read-only; DIR and the build are where they are outside. Needs root.
#
# Not as by default: no network but the loopback, no limits by cgroups, and the limits of processes and files are lower, since
# not every machine lets its root raise them. Nothing is left in Podman's own storage.
set -eu
dir=$1
shift

# Podman's runtime of Debian 12 refuses a machine with cgroups of both versions; limits are not what is tested.
if [ -z "${IN_PODMAN-}" ] && [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
	IN_PODMAN=yes exec unshare --mount --propagation private "$BASH" -euc '
		umount -R /sys/fs/cgroup 2>/dev/null || :
		mount -t cgroup2 none /sys/fs/cgroup
		exec "$BASH" "$@"' in-podman "$0" "$dir" "$@"
fi

own=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-podman.XXXXXX")
trap 'rm -rf "$own"' EXIT
root=$own/root
mkdir -p "$root"/{usr,etc,proc,sys,dev,run,root} "$root"/var/{cache,lib,log}
mkdir -m 1777 "$root/tmp" "$root/var/tmp"
ln -s ../run "$root/var/run"
for name in bin sbin lib lib64; do
	ln -s "usr/$name" "$root/$name"
done
cp -r /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache /etc/alternatives "$root/etc/"

options=(--volume /usr:/usr:ro --volume "$dir:$dir")
for name in "$abs_top_builddir" "$abs_top_srcdir"; do
	options+=(--volume "$name:$name:ro")
done
for name in PATH LC_ALL abs_top_builddir abs_top_srcdir "${!COMPAT_@}"; do
	[ -z "${!name-}" ] || options+=(--env "$name=${!name}")
done
status=0
TMPDIR=$own podman --root "$own/storage" --runroot "$own/run" --storage-driver vfs --cgroup-manager cgroupfs \
	--events-backend none run --rm --timeout 600 --network none --cgroups disabled --ulimit nofile=4096:4096 \
	--ulimit nproc=4096:4096 "${options[@]}" --rootfs "$root" "$@" || status=$?
exit "$status"
