/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"

#define RD_PATIENCE_MS	100000	/* for what must happen; only a broken daemon makes us wait that long */
#define RD_ASK_MS	2	/* between two questions to the daemon */
#define RD_MAX_ARGS	24

const char *rd_daemon_missing(void)
{
	const char *ringd = getenv("RINGD"), *engine = getenv("RINGD_ENGINE");

	if (!ringd || access(ringd, X_OK) < 0)
		return "$RINGD is not a program";
	if (!engine || access(engine, X_OK) < 0)
		return "$RINGD_ENGINE is not a program";
	return NULL;
}

/* --- start and stop --- */

static void child(struct rd_daemon *d, int ready, int log, const char *const extra[])
{
	const char *argv[RD_MAX_ARGS] = { getenv("RINGD"), "--runtime-dir", d->dir, "--engine", getenv("RINGD_ENGINE") };
	char number[16];
	size_t n = 5;

	if (geteuid() != 0)
		argv[n++] = "--user";
	snprintf(number, sizeof(number), "%d", ready);
	argv[n++] = "--ready-fd";
	argv[n++] = number;
	for (size_t i = 0; extra && extra[i] && n < RD_MAX_ARGS - 1; i++)
		argv[n++] = extra[i];
	argv[n] = NULL;
	dup2(log, STDERR_FILENO);
	dup2(log, STDOUT_FILENO);
	fcntl(ready, F_SETFD, 0);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static void wait_ready(struct rd_daemon *d, int ready)
{
	struct pollfd pfd = { .fd = ready, .events = POLLIN };
	char c = 0;

	ck_assert_int_eq(poll(&pfd, 1, RD_PATIENCE_MS), 1);
	ck_assert_msg(read(ready, &c, 1) == 1 && c == '\n', "ringd did not start, see %s", d->log);
}

void rd_daemon_start(struct rd_daemon *d, const char *const extra[])
{
	pid_t parent = getpid();
	int ready[2], log;

	*d = (struct rd_daemon){ 0 };
	snprintf(d->dir, sizeof(d->dir), "/tmp/ringd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(d->dir));
	ck_assert_int_eq(chmod(d->dir, 0755), 0);	/* the other uid's client must reach the socket */
	snprintf(d->socket, sizeof(d->socket), "%s/%s", d->dir, RINGD_SOCKET_NAME);
	snprintf(d->log, sizeof(d->log), "%s/log", d->dir);
	log = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	ck_assert_int_ge(log, 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	d->pid = fork();
	ck_assert_int_ge(d->pid, 0);
	if (d->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
		child(d, ready[1], log, extra);
	}
	rd_close(ready[1]);
	rd_close(log);
	wait_ready(d, ready[0]);
	rd_close(ready[0]);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* What it exited with; it is killed when it does not end. */
static int end(struct rd_daemon *d)
{
	int pidfd = pidfd_open(d->pid, 0), status = -1;
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };

	kill(d->pid, SIGTERM);
	if (pidfd < 0 || poll(&pfd, 1, RD_PATIENCE_MS) != 1)
		kill(d->pid, SIGKILL);
	rd_close(pidfd);
	waitpid(d->pid, &status, 0);
	d->pid = 0;
	return status;
}

static void show_log(const struct rd_daemon *d)
{
	char line[512];
	FILE *f = fopen(d->log, "re");

	while (f && fgets(line, sizeof(line), f))
		fprintf(stderr, "# %s", line);
	if (f)
		fclose(f);
}

bool rd_daemon_logged(const struct rd_daemon *d, const char *text)
{
	char line[512];
	bool found = false;
	FILE *f = fopen(d->log, "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return found;
}

static bool log_is_clean(const struct rd_daemon *d)
{
	return !rd_daemon_logged(d, "leak:") && !rd_daemon_logged(d, "Sanitizer") && !rd_daemon_logged(d, "runtime error:");
}

bool rd_daemon_end(struct rd_daemon *d, bool failed)
{
	bool good;

	if (!d->pid)
		return true;
	good = end(d) == 0 && log_is_clean(d);
	if (!good || failed)
		show_log(d);
	nftw(d->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return good;
}

void rd_daemon_stop(struct rd_daemon *d)
{
	ck_assert_msg(rd_daemon_end(d, false), "ringd did not end well, or its log tells of a leak");
}

/* --- status --- */

/* Wait a little before the next question; false when patience is at its end. */
static bool again(uint64_t start)
{
	poll(NULL, 0, RD_ASK_MS);
	return rd_now_ns() - start < RD_PATIENCE_MS * 1000000ull;
}

static int connect_status(const struct rd_daemon *d)
{
	struct ringd_hello hello = {
		.msg = { .size = sizeof(hello), .type = RINGD_MSG_HELLO, .seq = 1 },
		.magic = RINGD_WIRE_MAGIC,
		.version_min = RINGD_WIRE_VERSION,
		.version_max = RINGD_WIRE_VERSION,
		.kind = RINGD_HELLO_STATUS,
	};
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = RD_PATIENCE_MS / 1000 };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(sock, 0);
	memcpy(addr.sun_path, d->socket, sizeof(d->socket));
	ck_assert_int_eq(connect(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	ck_assert_int_eq(send(sock, &hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
	return sock;
}

/* 1: there is one, 0: there is none, -ETIMEDOUT: there is one that did not answer within the manager's second */
static int ask_status(const struct rd_daemon *d, uid_t uid, struct ringd_status *st)
{
	RD_CLOSE int sock = connect_status(d);
	struct ringd_status got;
	int found = 0;

	for (;;) {
		ck_assert_int_eq(recv(sock, &got, sizeof(got), 0), sizeof(got));
		ck_assert_uint_eq(got.msg.type, RINGD_MSG_STATUS);
		if (!got.engine_pid)
			return found;
		if (got.uid != uid || found == 1)
			continue;
		if (got.msg.res == 0) {
			*st = got;
			found = 1;
		} else if (got.msg.res == -ETIMEDOUT) {
			found = -ETIMEDOUT;
		}
	}
}

bool rd_daemon_status(const struct rd_daemon *d, uid_t uid, struct ringd_status *st)
{
	uint64_t start = rd_now_ns();
	int found;

	do {
		found = ask_status(d, uid, st);
	} while (found == -ETIMEDOUT && again(start));
	return found == 1;
}

/* The first slot that is not given back, or RINGD_LIMIT_MAX. */
static unsigned int slot_in_use(const struct ringd_status *st)
{
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++) {
		if (st->used[i] && i != RINGD_LIMIT_WORKERS)
			return i;
	}
	return RINGD_LIMIT_MAX;
}

void rd_daemon_expect_idle(const struct rd_daemon *d, uid_t uid)
{
	uint64_t start = rd_now_ns();
	struct ringd_status st = { 0 };
	unsigned int slot;

	do {
		if (!rd_daemon_status(d, uid, &st))
			return;		/* it has already been stopped for idleness */
		slot = slot_in_use(&st);
	} while ((slot < RINGD_LIMIT_MAX || st.submitted != st.completed) && again(start));
	ck_assert_msg(slot == RINGD_LIMIT_MAX, "%llu of limit %u are not given back", (unsigned long long)st.used[slot], slot);
	ck_assert_uint_eq(st.submitted, st.completed);
}

void rd_daemon_expect_used(const struct rd_daemon *d, uid_t uid, unsigned int which, uint64_t expected)
{
	uint64_t start = rd_now_ns();
	struct ringd_status st;

	do {
		ck_assert(rd_daemon_status(d, uid, &st));
	} while (st.used[which] != expected && again(start));
	ck_assert_uint_eq(st.used[which], expected);
}

int rd_count_fds(pid_t pid)
{
	char path[32];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n > 2 ? n - 2 : -1;	/* an unreadable directory looks empty */
}

void rd_daemon_expect_fds(const struct rd_daemon *d, uid_t uid, int max)
{
	uint64_t start = rd_now_ns();
	struct ringd_status st;
	int n;

	if (max < 0)
		return;
	do {
		ck_assert(rd_daemon_status(d, uid, &st));
		n = rd_count_fds((pid_t)st.engine_pid);
	} while (n > max && again(start));
	ck_assert_int_le(n, max);
}
