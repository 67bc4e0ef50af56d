#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program that knows nothing of io_uring, and meets it in a plugin that it loads and unloads again: on the kernel (where there is
# one), with the library and behind the preload. The library comes too late then for its functions to go before libc's.
set -u
: "${abs_top_builddir:?run me by make check}"
: "${CC:=cc}"
libs=$abs_top_builddir/client-lib/compat/.libs:$abs_top_builddir/.libs
trap=$abs_top_builddir/.libs/libringd-trap.so
failed=0
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/plugin.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
unset LD_PRELOAD LD_LIBRARY_PATH

cat >plugin.c <<'PLUGIN'
#include <liburing.h>
static struct io_uring ring;
int start(void) { int r = io_uring_queue_init(8, &ring, 0); return r < 0 ? r : ring.ring_fd; }
void stop(void) { io_uring_queue_exit(&ring); }
int start_read(int fd, void *buf)
{
	io_uring_prep_read(io_uring_get_sqe(&ring), fd, buf, 8, -1);
	return io_uring_submit(&ring);
}
/* all there is, as an event loop takes it */
int reap(void)
{
	struct io_uring_cqe *cqe;
	int sum = 0;
	while (io_uring_peek_cqe(&ring, &cqe) == 0) {
		sum += cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	return sum;
}
PLUGIN
cat >program.c <<'PROGRAM'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>
static int count(void) { int n = 0; for (int i = 0; i < 65536; i++) n += fcntl(i, F_GETFD) >= 0; return n; }
static int threads(void)
{
	char line[256];
	int n = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %d", &n);
	if (f)
		fclose(f);
	return n;
}
static int round_with(int mode)
{
	char buf[8];
	int p[2], before = count(), fd, set = epoll_create1(EPOLL_CLOEXEC), status;
	struct epoll_event ev = { .events = EPOLLIN };
	void *h = dlopen("./plugin.so", RTLD_NOW | mode);
	struct pollfd look = { .events = POLLIN };
	int (*start)(void), (*start_read)(int, void *), (*reap)(void);
	void (*stop)(void);
	if (!h || pipe(p))
		return puts(dlerror()), 1;
	start = (int (*)(void))dlsym(h, "start");
	start_read = (int (*)(int, void *))dlsym(h, "start_read");
	reap = (int (*)(void))dlsym(h, "reap");
	stop = (void (*)(void))dlsym(h, "stop");
	look.fd = fd = start();
	if (fd < 0)
		return 77;
	epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev);
	for (int i = 0; i < 3; i++) {
		printf("%d ", start_read(p[0], buf));
		printf("%d%d ", poll(&look, 1, 0), epoll_wait(set, &ev, 1, 0));
		if (write(p[1], "abc", 3) != 3)
			return 1;
		printf("%d%d ", poll(&look, 1, 120000), epoll_wait(set, &ev, 1, 120000));
		printf("%d ", reap());
		printf("%d%d, ", poll(&look, 1, 0), epoll_wait(set, &ev, 1, 0));
	}
	start_read(p[0], buf);
	stop();
	close(set);
	close(p[0]);
	close(p[1]);
	printf("dlclose %d, ", dlclose(h));
	/* threads that have been told to end are still counted for a moment */
	for (int i = 0; i < 60000 && threads() != 1; i++)
		usleep(1000);
	printf("%d thread, %+d descriptors, ", threads(), count() - before);
	fflush(stdout);
	if (fork() == 0)
		_exit(5);
	wait(&status);
	printf("%d\n", WEXITSTATUS(status));
	return 0;
}
int main(int argc, char **argv)
{
	int mode = argc > 1 && strstr(argv[1], "global") ? RTLD_GLOBAL : RTLD_LOCAL, r = 0;
	if (argc > 1 && strstr(argv[1], "deep"))
		mode |= RTLD_DEEPBIND;
	for (int i = 0; i < 3 && r == 0; i++)
		r = round_with(mode);
	return r;
}
PROGRAM
case ${RINGD_SANITIZERS:-} in
?*) echo "plugin: a program of the distribution's liburing, which has no sanitizers"; exit 77 ;;
esac
$CC -w -O1 -fPIC -shared plugin.c -o plugin.so -luring && $CC -w -O1 program.c -o program -ldl || exit 99

line='1 00 11 3 00, 1 00 11 3 00, 1 00 11 3 00, dlclose 0, 1 thread, +0 descriptors, 5'
printf '%s\n%s\n%s\n' "$line" "$line" "$line" >want
# run WHAT MODE ENVIRONMENT...
run()
{
	local what=$1 mode=$2 r
	shift 2
	env "$@" timeout -k 10 600 ./program "$mode" >got 2>&1
	r=$?
	[ $r = 77 ] && [ "$what" = kernel ] && return
	if [ $r != 0 ] || ! cmp -s want got; then
		echo "$what, $mode: status $r"
		diff want got
		failed=1
	fi
}
for mode in local global local-deep; do
	run kernel $mode A=
	run library $mode LD_LIBRARY_PATH="$libs"
	[ ! -e "$trap" ] || run preload $mode LD_PRELOAD="$trap"
done
exit $failed
