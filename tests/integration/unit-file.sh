#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The service unit is one that systemd understands, names a program that exists, and stays locked down.
set -u
command -v systemd-analyze >/dev/null || { echo "SKIP: no systemd-analyze"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

sed "s|^ExecStart=.*/ringd|ExecStart=$RINGD|" "$abs_top_builddir/systemd/ringd.service" >"$dir/ringd.service" || exit 1
grep -q "^ExecStart=$RINGD\$" "$dir/ringd.service" || { echo "no ExecStart with ringd"; exit 1; }
out=$(SYSTEMD_UNIT_PATH="$dir:" systemd-analyze verify --man=no --recursive-errors=no "$dir/ringd.service" 2>&1)
status=$?
# some versions tell of unknown keys but exit with 0
if [ $status -ne 0 ] || grep -qE "ringd.service:[0-9]+: " <<<"$out"; then
	echo "$out"
	exit 1
fi
SYSTEMD_UNIT_PATH="$dir:" systemd-analyze security --offline=1 --threshold=65 --no-pager "$dir/ringd.service" >"$dir/score" 2>&1
status=$?
tail -n 1 "$dir/score"
exit $status
