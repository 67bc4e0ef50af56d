#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nghttpd, nghttp and h2load: C++ programs whose event loop, libev, makes the system calls itself when it is told to use
# io_uring. A server of three threads and its clients: descriptors and timeouts are waited for by rings.
. "$(dirname "$0")/lib.sh"
program nghttp2 nghttp2-server
needs nghttpd nghttp h2load pgrep
SERVED_LEAST=100
export LIBEV_FLAGS=128	# EVBACKEND_IOURING

answers()	# without a door; its status says nothing
{
	[ "$(env -u LIBEV_FLAGS timeout 60 nghttp "http://127.0.0.1:$port/hello")" = hello ]
}

# Somebody else may have the port: then it ends at once.
serve()
{
	local try
	for try in {1..20}; do
		port=$((10000 + RANDOM % 20000))
		run nghttpd --no-tls --echo-upload -n 2 -d "$PWD" "$port" >"server-$try.log" 2>&1 </dev/null &
		server=$!
		await "$server" answers && return
		wait "$server"
	done
	cat server-*.log
	return 1
}

stop()
{
	kill "$(pgrep -P "$server")"	# timeout, which passes it on
	wait "$server"
	return 0	# a signal has ended it
}

transfers()
{
	local n urls=() clients=()
	echo hello >hello
	head -c 3000001 /dev/urandom >large
	for n in {1..30}; do
		head -c $((n * 20011)) /dev/urandom >"file-$n"
		urls+=("file-$n")
	done
	serve || return 1
	urls=("${urls[@]/#/http:\/\/127.0.0.1:$port\/}")
	# several transfers at once, one after the other on standard output: in the order in which they end
	for n in 1 2 3; do
		run nghttp "http://127.0.0.1:$port/large" >"got-$n" &
		clients[n]=$!
	done
	wait "${clients[@]}"
	for n in 1 2 3; do
		keep cmp large "got-$n"
	done
	for n in {1..30}; do
		run nghttp "${urls[n - 1]}" >got || echo "status $?" >>"$COMPAT_RESULT"
		keep cmp "file-$n" got
	done
	run nghttp --data=large "http://127.0.0.1:$port/echo" >got
	echo "upload: $?" >>"$COMPAT_RESULT"
	keep cmp large got
	run nghttp -n -v "http://127.0.0.1:$port/nothing" >verbose
	keep grep -ao ':status: 404' verbose
	stop
}

load()
{
	echo hello >hello
	serve || return 1
	run h2load -n 4000 -c 20 -m 10 -t 2 "http://127.0.0.1:$port/hello" >load.log 2>&1
	echo "h2load: $?" >>"$COMPAT_RESULT"
	cat load.log
	keep grep -E '^(requests|status codes):' load.log
	stop
}

begin "$@"
trial transfers "libev: downloads and an upload from a server of three threads" "trap ringd-run" "process container enosys"
refused transfers "libev: downloads and an upload from a server of three threads"
trial load "libev: h2load, two threads with ten connections each" "trap ringd-run"
finish
