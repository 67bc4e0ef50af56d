#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs while the administrator has switched io_uring off (kernel.io_uring_disabled=2), which is so for all of the machine:
# only where RINGD_TEST_SYSCTL is "yes", which says that nobody else needs it, and with no other test beside it.
dir=$(cd "$(dirname "$0")" && pwd)
[ "${RINGD_TEST_SYSCTL-}" = yes ] || { echo "SKIP: RINGD_TEST_SYSCTL is not yes"; exit 77; }
export RINGD_COMPAT_PLACES=sysctl RINGD_COMPAT_TRIALS="fixed raw load crash cached copy echoes find_all transfers stress"
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
