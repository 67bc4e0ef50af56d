# SPDX-License-Identifier: GPL-2.0-or-later
# What quickstart.sh and test.sh share; sourced by bash, the current directory is the top of the sources.

build_packages="gcc make libc6-dev autoconf automake libtool pkg-config libevent-dev libsystemd-dev liburing-dev
	libjson-c-dev libcap-ng-dev libseccomp-dev check"
build=$(realpath -m "${RINGD_BUILD:-build}")
jobs=$(nproc)

say() {
	printf '\n==> %s\n' "$*"
}

die() {
	printf '%s: %s\n' "$0" "$*" >&2
	exit 1
}

# The packages among "$@" that are not installed.
missing_packages() {
	local package
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || echo "$package"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

# Somebody else may hold apt's lists right now (unattended-upgrades); the lock of dpkg itself apt waits for.
apt_retrying() {
	local try
	for try in 1 2 3 4 5 6; do
		as_root apt-get -q -y -o DPkg::Lock::Timeout=600 "$@" && return
		[ "$try" = 6 ] || sleep 10
	done
	return 1
}

# install_quietly PACKAGE...: what brings services along does not start them: the tests have their own
install_quietly() {
	local policy=/usr/sbin/policy-rc.d result=0
	if [ -e "$policy" ]; then
		apt_retrying install --no-install-recommends "$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
	as_root chmod 755 "$policy"
	apt_retrying install --no-install-recommends "$@" || result=$?
	as_root rm -f "$policy"
	return "$result"
}

install_packages() {
	local missing
	if ! command -v dpkg-query > /dev/null; then
		say "no dpkg here: assuming that the packages are installed (see README.md)"
		return
	fi
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	say "installing" $missing
	[ "$(id -u)" = 0 ] || command -v sudo > /dev/null || die "needs root or sudo to install:" $missing
	apt_retrying update || say "apt-get update failed; trying with the lists that are there"
	# shellcheck disable=SC2086  # a list of names
	install_quietly $missing || die "could not install the packages"
}

# build_in DIR [argument of configure...]: configure when needed, then make
build_in() {
	local dir=$1
	shift
	if [ ! -x configure ] || [ ! -e build-aux/ltmain.sh ] || [ configure -ot configure.ac ]; then
		say "autogen.sh"
		./autogen.sh > /dev/null 2>&1 || ./autogen.sh || die "autogen.sh failed"
	fi
	mkdir -p "$dir"
	# Another compiler, other switches or another source tree: configure anew.
	if [ ! -f "$dir/Makefile" ] || [ "$(cat "$dir/.configured" 2> /dev/null)" != "$PWD $*" ]; then
		say "configuring in $dir" "$@"
		# make would not see that what is there is of no use any more, and would look for the sources of that time.
		find "$dir" -name '*.o' -delete -o -name '*.lo' -delete -o -name '*.Po' -delete -o -name '*.Plo' -delete
		(cd "$dir" && "$OLDPWD/configure" -q "$@") || die "configure failed, see $dir/config.log"
		echo "$PWD $*" > "$dir/.configured"
	fi
	say "building in $dir"
	make -s -C "$dir" -j"$jobs" || die "the build failed"
}
