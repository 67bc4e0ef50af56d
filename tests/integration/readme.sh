#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The README's client is the example that is built, and it does what the README says.
set -eu
tmp=$(mktemp -d)
pid=
trap 'test -z "$pid" || kill "$pid" 2> /dev/null; rm -rf "$tmp"' EXIT

awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$abs_top_srcdir/README.md" > "$tmp/readme.c"
tail -n +3 "$abs_top_srcdir/examples/hello.c" | diff - "$tmp/readme.c" || { echo "README and examples/hello.c differ"; exit 1; }

mkfifo "$tmp/ready"
"$RINGD" --user --runtime-dir "$tmp/run" --engine "$RINGD_ENGINE" --log-level=error --ready-fd 9 9> "$tmp/ready" &
pid=$!
read -r < "$tmp/ready"
export RINGD_SOCKET="$tmp/run/ringd.sock"
date > "$tmp/file"
"$abs_top_builddir/examples/hello" "$tmp/file" > "$tmp/out"
cmp "$tmp/file" "$tmp/out"
if "$abs_top_builddir/examples/hello" "$tmp/none" 2> "$tmp/err"; then
	echo "a missing file was read"
	exit 1
fi
grep -q 'result -2' "$tmp/err"
kill "$pid"
wait "$pid"
pid=
