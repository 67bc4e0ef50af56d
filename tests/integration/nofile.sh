#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Budgets fit into RLIMIT_NOFILE: what a client may not have is refused with words, not by a full descriptor table.
. "$(dirname "$0")/lib.sh"

ulimit -n 256
start_ringd
date > "$tmp/file"
"$abs_top_builddir/examples/hello" "$tmp/file" > /dev/null || fail "no service with 256 descriptors"
"$RINGCTL" status --json > "$tmp/status" || fail "no status"
for want in '"files":128' '"rings":32' '"clients":16'; do
	name=${want%%:*}
	if python3 - "$tmp/status" "${name//\"/}" "${want##*:}" <<'P'
import json, sys
path, name, want = sys.argv[1:]
def walk(x):
    if isinstance(x, dict):
        b = x.get("budgets", x.get("limits"))
        if isinstance(b, dict) and name in b:
            v = b[name]
            yield v["limit"] if isinstance(v, dict) else v
        for y in x.values():
            yield from walk(y)
    elif isinstance(x, list):
        for y in x:
            yield from walk(y)
sys.exit(0 if int(want) in list(walk(json.load(open(path)))) else 1)
P
	then
		ok "limit $want"
	else
		cat "$tmp/status"
		fail "limit $want"
	fi
done
