#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The examples do what they say. (examples/hello: readme.sh.)
. "$(dirname "$0")/lib.sh"
examples=$abs_top_builddir/examples

start_ringd
head -c 3000001 /dev/urandom >"$tmp/data"

"$examples/copy" "$tmp/data" "$tmp/copied"
check "copy" cmp "$tmp/data" "$tmp/copied"

printf '%s\n' "$tmp/data" "$tmp/none" | "$examples/eventloop" | sort >"$tmp/sizes"
printf '%s\n' "$tmp/data: 3000001 bytes" "$tmp/none: No such file or directory" | sort >"$tmp/expected"
check "eventloop" diff "$tmp/expected" "$tmp/sizes"

told() { grep -qx 'record: 3000001 bytes' "$tmp/ticks"; }
feed() { cat "$tmp/data"; for _ in $(seq 600); do told && break; sleep 0.1; done; echo end; }
: >"$tmp/ticks"
feed | "$examples/record" "$tmp/recorded" 2>"$tmp/ticks"
(cat "$tmp/data"; echo end) >"$tmp/expected"
check "record" cmp "$tmp/expected" "$tmp/recorded"
check "record takes the name at the end" test ! -e "$tmp/recorded.part"
check "record tells how far it is" told
mkdir "$tmp/taken"
check_status 1 "record does not get a name that a directory has" sh -c "echo x | '$examples/record' '$tmp/taken'"
check_status 1 "record needs something that can be waited for" "$examples/record" "$tmp/no" <"$tmp/data"

"$examples/receive" >"$tmp/received" 2>"$tmp/port" &
receiver=$!
until [ -s "$tmp/port" ]; do kill -0 "$receiver" || break; sleep 0.01; done
cat "$tmp/data" >"/dev/tcp/127.0.0.1/$(sed 's/port //' "$tmp/port")"
status=0
wait "$receiver" || status=$?
check "receive ends with the connection" test "$status" = 0
check "receive" cmp "$tmp/data" "$tmp/received"
