#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# examples/echo-server and examples/proxy with peers that know nothing of ringd: socat, nc, curl, nginx, and thousands of
# connections from netcrowd. As root everything is done again, in smaller numbers, by somebody without privileges.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
for tool in socat nc curl nginx python3; do
	command -v "$tool" >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
: "${RINGCTL:?}"
examples=$abs_top_builddir/examples
netcrowd=$abs_top_builddir/tests/integration/netcrowd
crowd=${1:-2500}	# connections at a time
pids=

kill_all()
{
	# shellcheck disable=SC2086  # a list
	if [ -n "$pids" ]; then
		kill -9 $pids
		wait $pids
	fi 2>/dev/null
	pids=
}

end_all()
{
	local status=$?
	kill_all
	(exit "$status")	# that of the script, for lib_cleanup
	lib_cleanup
}
trap end_all EXIT
hard=$(ulimit -H -n)
ulimit -S -n "$hard"
# the engine keeps half of its descriptors for itself
[ "$hard" = unlimited ] || [ "$crowd" -lt "$((hard / 4))" ] || crowd=$((hard / 4))

# Start a program of ours that tells its port; $pid and $port are its.
start_server()
{
	local line
	rm -f "$tmp/port"
	mkfifo "$tmp/port"
	"$@" >"$tmp/port" 2>>"$tmp/server.log" &
	pid=$!
	pids="$pids $pid"
	read -r -t 60 line <"$tmp/port"
	port=${line##* }
	if [ -z "$port" ]; then
		fail "$1 does not start"
		cat "$tmp/server.log" "$tmp/ringd.log"
		exit 1
	fi
}

# End one of them; nobody waits for what it leaves.
stop_server()
{
	kill -9 "$1"
	wait "$1" 2>/dev/null
}

# --- nginx, without privileges ---

start_nginx()	# sets web (its port, the same as before if there was one) and nginx (its pid)
{
	local line as=()
	[ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	for _ in 1 2 3 4 5 6 7 8; do
		: "${web:=$("$netcrowd" 0 port 1 0)}"
		cat >"$tmp/www/nginx.conf" <<-CONF
			daemon off; master_process off; pid $tmp/www/pid; error_log stderr notice;
			events { worker_connections 4096; }
			http {
				access_log off; client_max_body_size 0; keepalive_requests 100000;
				client_body_temp_path $tmp/www/body; proxy_temp_path $tmp/www/t1; fastcgi_temp_path $tmp/www/t2;
				uwsgi_temp_path $tmp/www/t3; scgi_temp_path $tmp/www/t4;
				server { listen 127.0.0.1:$web; root $tmp/www/root; dav_methods PUT; }
			}
		CONF
		rm -f "$tmp/nginx.err"
		mkfifo "$tmp/nginx.err"
		"${as[@]}" nginx -p "$tmp/www" -c "$tmp/www/nginx.conf" -e stderr 2>"$tmp/nginx.err" &
		nginx=$!
		exec 7<"$tmp/nginx.err"
		while read -r -t 60 line <&7; do	# it says this when it listens
			[[ $line != *getrlimit* ]] || break
		done
		cat <&7 >>"$tmp/nginx.log" &
		exec 7<&-
		if kill -0 "$nginx" 2>/dev/null && [[ $line == *getrlimit* ]]; then
			pids="$pids $nginx"
			return
		fi
		wait "$nginx"	# somebody else took the port
		web=
	done
	fail "nginx does not start"
	cat "$tmp/nginx.log"
	exit 1
}

prepare_www()
{
	chmod 711 "$tmp"
	mkdir -p "$tmp/www/root"
	cp "$tmp/data" "$tmp/www/root/data"
	echo small >"$tmp/www/root/small"
	truncate -s 200M "$tmp/www/root/huge"
	[ "$(id -u)" -ne 0 ] || chown -R 65534:65534 "$tmp/www"
}

# --- pieces ---

# No socket of the process is one of its network namespace's TCP sockets.
owns_no_tcp()
{
	local link
	for link in /proc/"$1"/fd/*; do
		link=$(readlink "$link") || continue
		[[ $link == socket:* ]] || continue
		link=${link//[^0-9]/}
		! awk -v inode="$link" '$10 == inode { found = 1 } END { exit !found }' /proc/"$1"/net/tcp || return 1
	done
}

through_nc()
{
	timeout 600 nc -N 127.0.0.1 "$1" <"$tmp/data" >"$tmp/back" && cmp "$tmp/data" "$tmp/back"
}

through_socat()
{
	timeout 600 socat -t 600 - "TCP:127.0.0.1:$1" <"$tmp/data" >"$tmp/back" && cmp "$tmp/data" "$tmp/back"
}

get()
{
	rm -f "$tmp/got"
	curl -sS -m 60 -o "$tmp/got" "http://127.0.0.1:$1/data" && cmp "$tmp/data" "$tmp/got"
}

put()
{
	rm -f "$tmp/www/root/put"
	curl -sS -m 60 -f -T "$tmp/data" "http://127.0.0.1:$1/put" && cmp "$tmp/data" "$tmp/www/root/put"
}

many_gets()	# at once, and many over one connection
{
	local i
	for i in $(seq 30); do
		echo "url=http://127.0.0.1:$1/data"
		echo "output=$tmp/many.$i"
	done >"$tmp/list"
	curl -sS -m 60 --parallel --parallel-max 30 -K "$tmp/list" || return
	for i in $(seq 30); do
		cmp "$tmp/data" "$tmp/many.$i" || return
		rm "$tmp/many.$i"
	done
	[ "$(curl -sS -m 60 "http://127.0.0.1:$1/small?[1-500]" | grep -cx small)" = 500 ]
}

# Begin to load something far longer than all sockets on the way hold. $curl is in the middle of it.
begin_huge()
{
	rm -f "$tmp/slow"
	mkfifo "$tmp/slow"
	curl -sS -m 60 -o "$tmp/slow" "http://127.0.0.1:$1/huge" 2>"$tmp/curl.err" &
	curl=$!
	exec 8<"$tmp/slow"
	head -c 1000000 <&8 >/dev/null
}

killed_curl()
{
	begin_huge "$1"
	kill -9 "$curl"
	wait "$curl" 2>/dev/null
	exec 8<&-
	get "$1"
}

# What curl has is not all, and it is told so: nothing looks like a good end.
killed_nginx()
{
	begin_huge "$1"
	kill -9 "$nginx"
	wait "$nginx" 2>/dev/null
	cat <&8 >/dev/null
	exec 8<&-
	! wait "$curl"
}

refused()
{
	! curl -sS -m 60 -o /dev/null "http://127.0.0.1:$1/small" 2>/dev/null && grep -q 'connect: Connection refused' "$tmp/server.log"
}

# A server that says one word and no more, and listens on; its end has come to the client before the client begins.
half_closed()
{
	local line server word r
	rm -f "$tmp/said" "$tmp/heard"
	mkfifo "$tmp/said"
	timeout 600 nc -v -n -N -l 127.0.0.1 0 <<<word >"$tmp/heard" 2>"$tmp/said" &
	server=$!
	pids="$pids $server"
	exec 6<"$tmp/said"
	read -r line <&6	# Listening on 127.0.0.1 PORT
	start_server "$examples/proxy" 0 127.0.0.1 "${line##* }"
	exec 8<>"/dev/tcp/127.0.0.1/$port"
	word=$(timeout 600 cat <&8)
	timeout 600 cat "$tmp/data" >&8
	exec 8>&-
	wait "$server" && [ "$word" = word ] && cmp "$tmp/data" "$tmp/heard"
	r=$?
	exec 6<&-
	stop_server "$pid"
	return "$r"
}

# Nobody is there any more, and nothing is left of them, in any budget.
all_given_back()
{
	for _ in $(seq 300); do
		"$RINGCTL" status --json >"$tmp/status" && python3 - "$tmp/status" <<-P && return
			import json, sys
			engines = json.load(open(sys.argv[1]))["engines"]
			used = [b["used"] for e in engines for name, b in e["budgets"].items() if name != "workers"]
			sys.exit(not used or any(used) or any(e["requests"]["in_flight"] for e in engines))
		P
		sleep 0.1	# the last closes are a worker's
	done
	cat "$tmp/status"
	return 1
}

# --- the test ---

start_ringd
head -c 20000003 /dev/urandom >"$tmp/data"
prepare_www

start_server "$examples/echo-server"
echo_pid=$pid echo_port=$port
check "echo: nc" through_nc "$echo_port"
check "echo: socat" through_socat "$echo_port"
check "echo: $crowd connections at a time" timeout 600 "$netcrowd" "$echo_port" crowd "$crowd" 10000
said "^netcrowd: [0-9]* connections"
check "echo: peers that do not read" timeout 600 "$netcrowd" "$echo_port" slow 4 24000000
check "echo: peers that are gone in the middle" timeout 600 "$netcrowd" "$echo_port" reset 200 300000
check "echo: its program has no TCP socket" owns_no_tcp "$echo_pid"
check "echo: after all that" through_nc "$echo_port"

start_server "$examples/proxy" 0 127.0.0.1 "$echo_port"
check "proxy: nc to the echo server" through_nc "$port"
check "proxy: $((crowd / 4)) connections at a time" timeout 600 "$netcrowd" "$port" crowd "$((crowd / 4))" 50000
check "proxy: peers that do not read" timeout 600 "$netcrowd" "$port" slow 4 48000000
check "proxy: peers that are gone in the middle" timeout 600 "$netcrowd" "$port" reset 100 300000
stop_server "$echo_pid"
check_status 1 "proxy: nobody behind it" "$netcrowd" "$port" crowd 1 1
start_server "$examples/echo-server" "$echo_port"
check "echo: again on the same port" test "$port" = "$echo_port"
start_server "$examples/proxy" 0 127.0.0.1 "$echo_port"
check "proxy: to the new server" through_socat "$port"
check "proxy: a server that has nothing more to say" half_closed

start_nginx
start_server "$examples/proxy" 0 127.0.0.1 "$web"
check "proxy: nginx to curl" get "$port"
check "proxy: curl to nginx" put "$port"
check "proxy: many of curl's requests" many_gets "$port"
check "proxy: curl is killed" killed_curl "$port"
check "proxy: nginx is killed" killed_nginx "$port"
check "proxy: nginx is not there" refused "$port"
start_nginx
check "proxy: nginx is there again" get "$port"
check "proxy: its program has no TCP socket" owns_no_tcp "$pid"

kill_all
check "everything is given back" all_given_back
stop_ringd
check_status 1 "no sanitizer complains" grep -E 'Sanitizer|runtime error' "$tmp/ringd.log"

if [ -z "${1-}" ] && [ "$(id -u)" -eq 0 ]; then
	unprivileged 300 | sed 's/^ok - /&unprivileged: /; s/^not ok - /&unprivileged: /'
	[ "${PIPESTATUS[0]}" -eq 0 ] || fail "the same without privileges"
fi
