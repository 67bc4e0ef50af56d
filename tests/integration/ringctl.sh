#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ringctl against a real ringd, and against none.
dir=$(cd "$(dirname "$0")" && pwd)
. "$dir/lib.sh"
: "${RINGCTL:?}" "${RINGBENCH:?}"

json()		# is standard input JSON, and does the expression hold for it (j)?
{
	if command -v python3 >/dev/null; then
		python3 -c "import json, sys; j = json.load(sys.stdin); assert $1, j"
	else
		grep -q '"engines"'
	fi
}

json_status()
{
	"$RINGCTL" status --json | json "$1"
}

check_status 1 "no socket" "$RINGCTL" status --socket="$tmp/none"
said "no such socket"
check_status 2 "no command" "$RINGCTL"
check_status 2 "an unknown command" "$RINGCTL" frobnicate
check_status 2 "an unknown option" "$RINGCTL" status --frobnicate
check_status 2 "an argument too many" "$RINGCTL" status engines
check "help" "$RINGCTL" --help
said status
check "version" "$RINGCTL" --version
check_status 1 "output that cannot be written" bash -c "'$RINGCTL' --version >/dev/full"

start_ringd
check "a ringd without engines" "$RINGCTL" status
said "no engine is running"
check "the same as JSON" json_status 'j["engines"] == []'

check "some work" "$RINGBENCH" --target=ringd --qd=8 --seconds=0.1
check "an engine with requests" "$RINGCTL" status
said "^engine [0-9]"
said "nop "
check "JSON agrees" json_status 'len(j["engines"]) == 1 and j["engines"][0]["requests"]["by_opcode"]["nop"]["completed"] > 0'
check "nothing is in flight" json_status 'j["engines"][0]["requests"]["in_flight"] == 0'

mkfifo "$tmp/in"
"$RINGBENCH" --hold --idle-rings=3 <"$tmp/in" >"$tmp/held" &
exec 5>"$tmp/in"
timeout 600 bash -c "until grep -qs pid= '$tmp/held'; do :; done"
check "rings that are open are listed" "$RINGCTL" ring
said "^engine [0-9]"
said "^ring 3  client [0-9]"
check "one of them" "$RINGCTL" ring 2
said "^Ring:.2$"
said "^SqMask:.0x"
said "^CqOverflowList:$"
check_status 1 "a ring that is not there" "$RINGCTL" ring 99
said "no ring 99"
check_status 2 "no number" "$RINGCTL" ring -- -3
check_status 1 "another engine's ring" "$RINGCTL" ring --engine=1 2
check "rings that are open are counted" json_status 'j["engines"][0]["rings"] == 3 and j["engines"][0]["clients"] == 1'
exec 5>&-
wait %2 2>/dev/null

socket=$RINGD_SOCKET
stop_ringd
check_status 1 "after ringd has gone" "$RINGCTL" status --socket="$socket"
