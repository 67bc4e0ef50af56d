#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Instructions that the engine spends per request, by function: it runs under callgrind while ringbench drives it.
# Unlike times these do not depend on what else the machine does.
#
#   bench/instructions.sh [--build DIR] [options of ringbench: --qd=32 --sqpoll --op=read --fixed ...]
set -u -o pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
build=${abs_top_builddir:-$top}
if [ "${1:-}" = --build ]; then
	build=$2
	shift 2
fi
RINGD=${RINGD:-$build/daemon/manager/ringd}
RINGD_ENGINE=${RINGD_ENGINE:-$build/daemon/engine/ringd-engine}
RINGBENCH=${RINGBENCH:-$build/bench/ringbench}
RINGCTL=${RINGCTL:-$build/ringctl/ringctl}
command -v valgrind >/dev/null || { echo "instructions.sh: valgrind is not installed" >&2; exit 2; }

tmp=$(mktemp -d) || exit 2
ringd_pid=
stop()
{
	[ -n "$ringd_pid" ] && kill "$ringd_pid" 2>/dev/null && wait "$ringd_pid" 2>/dev/null
	ringd_pid=
}
trap 'stop; rm -rf "$tmp"' EXIT

cat >"$tmp/engine" <<EOF
#!/bin/sh
exec valgrind -q --tool=callgrind --callgrind-out-file='$tmp/out' '$RINGD_ENGINE' "\$@" 2>'$tmp/valgrind.log'
EOF
chmod +x "$tmp/engine"
mkfifo "$tmp/ready" && mkdir -m 700 "$tmp/rt" || exit 2
"$RINGD" --user --runtime-dir "$tmp/rt" --engine "$tmp/engine" --ready-fd 3 3>"$tmp/ready" 2>"$tmp/log" &
ringd_pid=$!
read -r -t 30 _ <"$tmp/ready"
export RINGD_SOCKET=$tmp/rt/ringd.sock

"$RINGBENCH" --target=ringd --seconds=2 "$@" >/dev/null || exit 2
completed=$("$RINGCTL" status --json | awk -F '[:,]' '/"requests"/ { in_requests = 1 } in_requests && /"completed"/ { print $2 + 0; exit }')
stop
[ -s "$tmp/out" ] && [ "${completed:-0}" -gt 0 ] || { cat "$tmp/log" "$tmp/valgrind.log" >&2; exit 2; }

echo "$completed requests; instructions per request, by function (inlined ones under the file they come from):"
callgrind_annotate --auto=no --threshold=98 "$tmp/out" | awk -v n="$completed" -v top="$top/" '
	/^ *[0-9,]+ \(/ {
		count = $1; gsub(",", "", count)
		name = $0; sub(/^ *[0-9,]+ \([ 0-9.]+%\) */, "", name); sub(/ \[.*$/, "", name)
		sub(top, "", name)
		if (count / n >= 0.5) printf "%8.1f  %s\n", count / n, name
	}'
