#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs in containers of Podman with its default profile, if it is here: it is not installed for this.
dir=$(cd "$(dirname "$0")" && pwd)
: "${abs_top_builddir:?run me by make check}"
[ -z "${RINGD_SANITIZERS-}" ] || { echo "SKIP: the programs run in the plain build only"; exit 77; }
command -v podman >/dev/null || { echo "SKIP: no podman here"; exit 77; }
[ "$(id -u)" -eq 0 ] || { echo "SKIP: needs root"; exit 77; }
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-compat.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
if ! timeout -k 10 300 "$dir/in-podman.sh" "$tmp" true >"$tmp/log" 2>&1; then
	echo "SKIP: podman makes no container here: $(tail -n 1 "$tmp/log")"
	exit 77
fi
timeout -k 10 300 "$dir/in-podman.sh" "$tmp" grep -E 'Seccomp:|NoNewPrivs|CapEff' /proc/self/status
export RINGD_COMPAT_PLACES=podman
export RINGD_COMPAT_TRIALS="fixed verified polled raw load crash cached copy echoes find_all transfers stress"
tried=0 failed=0
for test in fio mariadb plocate qemu-img qemu-storage-daemon samba stress-ng uringapp; do
	echo "# $test"
	bash "$dir/programs/$test.sh"
	case $? in
	0) tried=$((tried + 1)) ;;
	77) ;;
	*) failed=$((failed + 1)) ;;
	esac
done
[ "$failed" -eq 0 ] || exit 1
[ "$tried" -gt 0 ] || exit 77
