#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ringd-run --report, with a program made from the distribution's liburing, through both doors.
set -u
: "${abs_top_builddir:?run me by make check}"
: "${CC:=cc}"
[ -z "${RINGD_SANITIZERS-}" ] || { echo "SKIP: a program that is not ours cannot load libraries with sanitizers"; exit 77; }
run=$abs_top_builddir/ringd-run/ringd-run
confine=$abs_top_builddir/tests/compat/confine
failures=0

tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-report.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' INT TERM
chmod 755 "$tmp"
cd "$tmp" || exit 99
unset LD_PRELOAD LD_LIBRARY_PATH RINGD_REPORT RINGD_BACKEND

ok() { echo "ok - $*"; }
fail()
{
	echo "not ok - $*"
	failures=$((failures + 1))
	sed 's/^/#   /' report out err 2>/dev/null
}

mkdir lib
for name in libringd-local.so.0 libringd-trap.so liburing.so.2 liburing-ffi.so.2; do
	for from in "$abs_top_builddir/.libs" "$abs_top_builddir/client-lib/compat/.libs"; do
		[ -e "$from/$name" ] && cp -L "$from/$name" lib/ && break
	done || { echo "$name is not built"; exit 99; }
done
export RINGD_LIBDIR=$tmp/lib

cat >user.c <<'PROGRAM'
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static void die(const char *what, int r) { printf("%s: %d\n", what, r); fflush(stdout); _exit(99); }
static int done(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int r = io_uring_submit_and_wait(ring, 1);
	if (r == 1)
		r = io_uring_wait_cqe(ring, &cqe);
	if (r < 0)
		die("wait", r);
	r = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return r;
}
static void nops(struct io_uring *ring, int n)
{
	while (n--) {
		io_uring_prep_nop(io_uring_get_sqe(ring));
		if (done(ring) < 0)
			die("nop", n);
	}
}
static void make(struct io_uring *ring)
{
	int r = io_uring_queue_init(8, ring, IORING_SETUP_CLAMP);
	if (r < 0)
		die("setup", r);
}
static void work(struct io_uring *ring)
{
	char buf[16];
	int fds[2], fd = open("file", O_RDWR | O_CREAT, 0600);
	struct io_uring_params bad = { .flags = 1u << 30 };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	nops(ring, 5);
	io_uring_prep_fsync(io_uring_get_sqe(ring), fd, 0);
	if (done(ring))
		die("fsync", -1);
	if (pipe(fds))
		die("pipe", -1);
	io_uring_prep_read(io_uring_get_sqe(ring), fds[0], buf, sizeof(buf), 0);
	io_uring_submit(ring);
	if (write(fds[1], "hi", 2) != 2 || io_uring_wait_cqe(ring, &cqe) || cqe->res != 2)
		die("read", -1);
	io_uring_cqe_seen(ring, cqe);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_nop(sqe);
	sqe->opcode = 200;
	if (done(ring) != -22 || io_uring_queue_init_params(8, &(struct io_uring){ 0 }, &bad) >= 0 ||
	    io_uring_unregister_buffers(ring) >= 0)
		die("what is not served", -1);
}
int main(int argc, char **argv)
{
	const char *how = argv[1];
	struct io_uring ring, other;
	pid_t pid;
	if (!strcmp(how, "none"))
		return 0;
	make(&ring);
	work(&ring);
	if (!strcmp(how, "close"))
		io_uring_queue_exit(&ring);
	if (!strcmp(how, "again")) {
		for (int i = 0; i < 12; i++) {
			io_uring_queue_exit(&ring);
			make(&ring);
			nops(&ring, 1);
		}
	}
	if (!strcmp(how, "reuse")) {
		struct io_uring_sqe *sqe;
		int old = ring.ring_fd, file, files[1];
		io_uring_queue_exit(&ring);
		file = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (file != old || write(file, "data", 4) != 4)
			die("reuse", file);
		char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
		if (p == MAP_FAILED || memcmp(p, "data", 4))
			die("mmap", -1);
		make(&other);
		files[0] = file;
		if (io_uring_register_files(&other, files, 1))
			die("register", -1);
		sqe = io_uring_get_sqe(&other);
		io_uring_prep_fsync(sqe, file, 0);
		if (done(&other))
			die("fsync of a number that was a ring", -1);
	}
	if (!strcmp(how, "_exit"))
		_exit(5);
	if (!strcmp(how, "stderr")) {
		close(2);
		if (open("other", O_WRONLY | O_CREAT, 0600) != 2)
			die("open", -1);
	}
	if (!strcmp(how, "vfork")) {
		pid = vfork();
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	if (!strcmp(how, "fork")) {
		pid = fork();
		if (pid == 0) {
			make(&other);
			nops(&other, 3);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		if (fork() == 0)
			_exit(0);	/* has done nothing */
		wait(NULL);
	}
	puts("its own output");
	return 5;
}
PROGRAM
$CC -O1 -w -o user user.c -luring || { echo "cannot compile"; exit 99; }

# has PATTERN: a line of the report
has() { grep -qE "$1" report; }
# reports N: so many processes have told
reports() { [ "$(grep -c '^ringd-run: report of process [0-9]* (user)$' report)" = "$1" ]; }

# go HOW [OPTION...]: 5 is its status
go()
{
	local how=$1
	shift
	rm -f other
	: >report
	timeout -k 10 300 "$run" "--door=$door" --report=report "$@" ./user "$how" >out 2>err
	[ $? -eq 5 ]
}
own_output() { [ "$(cat out)" = "its own output" ] && [ ! -s err ]; }

worked()
{
	has '^rings: 1, at most 1 at a time; requests: 8, completed: 8; back end: sync$' &&
	has '^ +rings +SQ +CQ +flags$' && has '^ +1 +8 +16 +(NO_SQARRAY\|)?CLAMP(\|NO_SQARRAY)?$' &&
	has '^nop +5 +5 +0 +0 +0$' && has '^fsync +1 +0 +0 +1 +0$' && has '^read +1 +0 +1 +0 +0$' &&
	has '^ +1 EINVAL: operation 200$' && has '^ +[12] EINVAL: io_uring_setup, flags .*0x40000000' &&
	has '^ +1 ENXIO: io_uring_register, UNREGISTER_BUFFERS$' &&
	has '^SqMask:[[:space:]]0x7$' && has '^CachedSqHead:[[:space:]]8$' && has '^CqTail:[[:space:]]8$'
}

for door in library trap; do
	if go close && own_output && reports 1 && worked && has '^ring 1, descriptor [0-9]+, (when it was closed|closed by .*own):$'; then
		ok "$door: rings, operations, ways, refusals, fdinfo; nothing else changes"
	else
		fail "$door: a ring that is closed"
	fi
	if go open && own_output && reports 1 && worked && has '^ring 1, descriptor [0-9]+, open at the end:$'; then
		ok "$door: a ring that is open at the end"
	else
		fail "$door: a ring that is open at the end"
	fi
	if go _exit && reports 1 && worked; then ok "$door: _exit()"; else fail "$door: _exit()"; fi
	# the engine has gone with each of them
	if go again && reports 1 && has '^rings: 13, at most 1 at a time; requests: 20, completed: 20;' &&
	   has '^nop +17 +17 ' && has '^ring 8, .*when it was closed' && ! has '^ring 9, '; then
		ok "$door: counted over the end of an engine"
	else
		fail "$door: counted over the end of an engine"
	fi
	# the distribution's liburing closes by a system call of its own, which no door sees
	if go reuse && own_output && reports 1; then
		ok "$door: a ring's number becomes a file's"
	else
		fail "$door: a ring's number becomes a file's"
	fi
	if go vfork && own_output && reports 1; then ok "$door: the child of vfork()"; else fail "$door: the child of vfork()"; fi
	if go fork && own_output && reports 2 && worked && has '^rings: 1, at most [12] at a time; requests: 3, completed: 3;' &&
	   has '^nop +3 +3 +0 +0 +0$'; then
		ok "$door: a child of fork() tells what it did itself"
	else
		fail "$door: a child of fork()"
	fi
	: >report
	if timeout -k 10 300 "$run" "--door=$door" --report=report ./user none && [ ! -s report ]; then
		ok "$door: no ring, no report"
	else
		fail "$door: no ring, no report"
	fi

	timeout -k 10 300 "$run" "--door=$door" --report ./user open 2>report >out
	if [ $? -eq 5 ] && reports 1 && worked && [ "$(cat out)" = "its own output" ]; then
		ok "$door: to standard error"
	else
		fail "$door: to standard error"
	fi
	timeout -k 10 300 "$run" "--door=$door" --report ./user stderr 2>report >out
	if [ $? -eq 5 ] && [ -e other ] && [ ! -s other ] && reports 0; then
		ok "$door: descriptor 2 has become a file of the program"
	else
		fail "$door: descriptor 2 has become a file of the program"
	fi
	# the reader has gone before anything is written
	mkfifo fifo
	exec 8<>fifo 9>fifo
	exec 8>&-
	timeout -k 10 300 "$run" "--door=$door" --report ./user open 2>&9 >out
	if [ $? -eq 5 ]; then ok "$door: nobody reads it"; else fail "$door: nobody reads it"; fi
	exec 9>&-
	rm fifo
done

door=library
"$confine" -- true 2>confine.err && run_confined=yes || run_confined=
if [ -n "$run_confined" ]; then
	for door in library trap; do
		rm -f report
		timeout -k 10 300 "$confine" -- "$run" "--door=$door" --report=report ./user close >out 2>err
		if [ $? -eq 5 ] && own_output && worked; then ok "$door: confined"; else fail "$door: confined"; fi
	done
fi
# where the kernel gives none, it is as without
door=library
if go close --backend=uring && reports 1 && has 'requests: 8, completed: 8; back end: (uring|sync)$'; then
	ok "--backend=uring"
else
	fail "--backend=uring"
fi
door=trap
if go close --backend=uring && reports 1 && has 'back end: sync$'; then
	ok "--backend=uring behind the trap"
else
	fail "--backend=uring behind the trap"
fi
[ "$failures" -eq 0 ]
