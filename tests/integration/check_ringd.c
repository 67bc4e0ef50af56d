/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringd --user with real processes: handshakes of every kind, engines that misbehave, begin and end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon.h"
#include "tests/unit/suite.h"

static struct daemon d;
static char *const user_mode[] = { (char *)"--user", NULL };

static void start(const char *mode)
{
	daemon_start(&d, mode, user_mode);
}

static void expect_end(int fd)
{
	char c;
	ssize_t n = client_recv(fd, &c, 1);

	ck_assert_msg(n == 0 || n == -ECONNRESET, "got %zd", n);
	close(fd);
}

/* As many as it had when it started, and two for its engine. The last connection may be on its way out. */
static void expect_no_leak(int at_start)
{
	int n = -1;

	for (int i = 0; i < DEADLINE_MS / 10; i++) {
		n = count_fds(d.pid);
		if (n < 0 || n == at_start + 2)	/* only root may look */
			return;
		poll(NULL, 0, 10);
	}
	ck_abort_msg("%d descriptors, %d at start", n, at_start);
}

static void expect_welcome(void)
{
	struct ringd_welcome w;
	int fd;

	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	close(fd);
}

/* ---- handshake ---- */

START_TEST(a_good_hello_is_welcomed_by_the_engine)
{
	struct ringd_welcome w;
	int fd;

	start("serve");
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	ck_assert_uint_eq(w.version, RINGD_WIRE_VERSION);
	ck_assert_uint_eq(w.limits[0], (uint64_t)getpid());	/* the test engine tells what the manager told it */
	ck_assert_uint_eq(w.spin_us, 0);			/* no flags: it may open paths */
	ck_assert_uint_ne(w.engine_pid, (uint32_t)d.pid);
	close(fd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

static const struct {
	size_t len;		/* of the packet */
	size_t at;		/* this byte of it */
	unsigned char xor;	/* is changed so */
	int res;
} wrong[] = {
	{ 48, 0, 1, -EPROTO }, { 48, 4, 2, -EPROTO }, { 48, 6, 1, -EPROTO }, { 48, 12, 1, -EPROTO }, { 48, 16, 0xff, -EPROTO },
	{ 48, 20, 3, -EPROTONOSUPPORT }, { 48, 24, 7, -EPROTO }, { 48, 28, 1, -EPROTO }, { 48, 47, 0x80, -EPROTO },
	{ 1, 0, 0, -EPROTO }, { 47, 0, 0, -EPROTO }, { 49, 0, 0, -EPROTO }, { 65536, 0, 0, -EPROTO },
};

START_TEST(a_wrong_hello_is_told_why_and_dropped)
{
	struct ringd_hello h = {
		.msg = { .size = sizeof(h), .type = RINGD_MSG_HELLO, .seq = 3 },
		.magic = RINGD_WIRE_MAGIC, .version_min = 1, .version_max = 1, .kind = RINGD_HELLO_CLIENT,
	};
	static unsigned char packet[65536];
	struct ringd_error e;
	int fd;

	start("serve");
	h.version_max = wrong[_i].res == -EPROTONOSUPPORT ? 9 : 1;
	memcpy(packet, &h, sizeof(h));
	packet[wrong[_i].at] ^= wrong[_i].xor;
	fd = client_connect(&d);
	ck_assert_int_eq(send(fd, packet, wrong[_i].len, MSG_NOSIGNAL), (ssize_t)wrong[_i].len);
	ck_assert_int_eq(client_recv(fd, &e, sizeof(e)), sizeof(e));
	ck_assert_int_eq(e.msg.res, wrong[_i].res);
	ck_assert_uint_eq(e.msg.size, sizeof(e));
	ck_assert_ptr_nonnull(memchr(e.text, 0, sizeof(e.text)));
	ck_assert_uint_ne(e.text[0], 0);
	expect_end(fd);
	expect_welcome();
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(who_says_nothing_is_dropped)
{
	struct ringd_error e;
	int fd;

	start("serve");
	fd = client_connect(&d);
	ck_assert_int_eq(client_recv(fd, &e, sizeof(e)), sizeof(e));
	ck_assert_int_eq(e.msg.res, -ETIMEDOUT);
	expect_end(fd);
	expect_welcome();
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(who_leaves_before_the_hello_does_no_harm)
{
	start("serve");
	for (int i = 0; i < 200; i++)
		close(client_connect(&d));
	expect_welcome();
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(hundreds_of_half_open_connections_are_bounded)
{
	int fds[300], refused = 0, before;
	struct ringd_error e;

	start("serve");
	before = count_fds(d.pid);
	for (int i = 0; i < 300; i++)
		fds[i] = client_connect(&d);
	for (int i = 0; i < 300; i++) {	/* every one is told why, sooner or later */
		ck_assert_int_eq(client_recv(fds[i], &e, sizeof(e)), sizeof(e));
		ck_assert(e.msg.res == -EDQUOT || e.msg.res == -ETIMEDOUT);
		refused += e.msg.res == -EDQUOT;
		expect_end(fds[i]);
	}
	ck_assert_int_ge(refused, 1);
	expect_welcome();
	expect_no_leak(before);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

static ssize_t send_with_fds(int fd, const void *buf, size_t len, unsigned int n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(RINGD_MSG_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)buf, len };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (unsigned int i = 0; i < n; i++)
		((int *)CMSG_DATA(c))[i] = fd;
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

START_TEST(descriptors_with_a_hello_are_refused_and_closed)
{
	const struct ringd_hello h = {
		.msg = { .size = sizeof(h), .type = RINGD_MSG_HELLO, .seq = 3 },
		.magic = RINGD_WIRE_MAGIC, .version_min = 1, .version_max = 1, .kind = RINGD_HELLO_CLIENT,
	};
	static const unsigned int counts[] = { 1, 253 };
	struct ringd_error e;
	int fd, before;

	start("serve");
	before = count_fds(d.pid);
	fd = client_connect(&d);
	if (send_with_fds(fd, &h, sizeof(h), counts[_i]) < 0) {
		ck_assert_int_eq(errno, EPERM);	/* Linux 6.16: the kernel refuses them for us */
		close(fd);
	} else {
		ck_assert_int_eq(client_recv(fd, &e, sizeof(e)), sizeof(e));
		ck_assert_int_eq(e.msg.res, -EPROTO);
		expect_end(fd);
	}
	expect_welcome();
	expect_no_leak(before);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(descriptors_after_the_welcome_get_through)
{
	struct ringd_welcome w;
	char c = 0;
	int fd;

	start("serve");
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	ck_assert_int_eq(send_with_fds(fd, &c, 1, 5), 1);
	close(fd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(many_clients_wait_together_for_their_engine)
{
	struct ringd_welcome w;
	int fds[100];
	uint32_t pid = 0;

	start("serve");
	for (int i = 0; i < 100; i++) {
		fds[i] = client_connect(&d);
		ck_assert_int_eq(client_hello(fds[i], RINGD_HELLO_CLIENT, (uint32_t)i), 0);
	}
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(client_recv(fds[i], &w, sizeof(w)), sizeof(w));
		ck_assert_uint_eq(w.msg.seq, (uint32_t)i);
		ck_assert(i == 0 || w.engine_pid == pid);
		pid = w.engine_pid;
	}
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

static void few_descriptors(const struct daemon *unused)
{
	const struct rlimit rl = { 40, 40 };

	setrlimit(RLIMIT_NOFILE, &rl);
}

START_TEST(running_out_of_descriptors_passes)
{
	struct ringd_error e;
	int fds[60];

	daemon_before_exec = few_descriptors;
	start("serve");
	for (int i = 0; i < 60; i++)
		fds[i] = client_connect(&d);
	for (int i = 0; i < 60; i++) {	/* room is made of the silent, oldest first */
		ck_assert_int_eq(client_recv(fds[i], &e, sizeof(e)), sizeof(e));
		ck_assert(e.msg.res == -EAGAIN || e.msg.res == -ETIMEDOUT);
		expect_end(fds[i]);
	}
	expect_welcome();
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

/* ---- engines ---- */

/* It may be seen for the moment until it is reaped. */
static void expect_engine_gone(struct ringd_status *s)
{
	int n = client_status(&d, s, 2);

	ck_assert(n == 0 || s[0].msg.res < 0);
}

START_TEST(a_killed_engine_is_replaced)
{
	struct ringd_status s[2];
	struct ringd_welcome w;
	uint32_t first;
	int fd, pidfd;

	start("serve");
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	first = w.engine_pid;
	pidfd = watch_pid((pid_t)first);
	kill((pid_t)first, SIGKILL);
	ck_assert(ended(pidfd));
	expect_end(fd);
	ck_assert_int_eq(client_open_patiently(&d, &fd, &w), 0);
	ck_assert_uint_ne(w.engine_pid, first);
	ck_assert_int_eq(client_status(&d, s, 2), 1);
	ck_assert_uint_eq(s[0].restarts, 1);
	close(fd);
	close(pidfd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_that_dies_at_start_is_backed_off)
{
	struct ringd_error e;
	struct ringd_welcome w;
	bool delayed = false;
	int fd;

	start("die");
	ck_assert_int_eq(client_open(&d, &fd, &w, &e), -EAGAIN);
	ck_assert_msg(strstr(e.text, "exit status 3"), "%s", e.text);
	/* the delay doubles, so one of the next finds itself inside it */
	for (int i = 0; i < 50 && !delayed; i++) {
		ck_assert_int_eq(client_open(&d, &fd, &w, &e), -EAGAIN);
		delayed = strstr(e.text, "started again in") != NULL;
	}
	ck_assert(delayed);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_that_dies_with_its_client_does_not_take_the_manager_along)
{
	struct ringd_status s[2];
	struct ringd_welcome w;
	int fd;

	start("die-late");
	ck_assert_int_ne(client_open(&d, &fd, &w, NULL), 0);
	expect_engine_gone(s);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_that_never_becomes_ready_is_killed)
{
	struct ringd_welcome w;
	struct ringd_error e;
	int fd;

	start("mute");
	ck_assert_int_eq(client_open(&d, &fd, &w, &e), -EAGAIN);
	ck_assert_msg(strstr(e.text, "not ready in time"), "%s", e.text);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_that_breaks_the_protocol_is_killed)
{
	struct ringd_status s[2];
	struct ringd_welcome w;
	int fd = -1;

	start("babble");
	if (client_open(&d, &fd, &w, NULL) == 0)
		expect_end(fd);
	expect_engine_gone(s);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_that_floods_its_link_does_not_stop_the_manager)
{
	struct ringd_status s[2];
	int fd;

	start("flood");
	fd = client_connect(&d);
	ck_assert_int_eq(client_hello(fd, RINGD_HELLO_CLIENT, 1), 0);
	for (int i = 0; i < 3; i++)
		(void)client_status(&d, s, 2);
	close(fd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_idle_engine_ends_and_comes_again_without_back_off)
{
	char *const args[] = { (char *)"--user", (char *)"--engine-idle=1", NULL };
	struct ringd_status s[2];
	struct ringd_welcome w;
	int fd, pidfd;

	daemon_start(&d, "serve", args);
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	pidfd = watch_pid((pid_t)w.engine_pid);
	close(fd);
	ck_assert(ended(pidfd));
	close(pidfd);
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	ck_assert_int_eq(client_status(&d, s, 2), 1);
	ck_assert_uint_eq(s[0].restarts, 0);
	close(fd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(engine_directories_are_private_and_go_away)
{
	struct ringd_welcome w;
	struct stat st;
	char path[128];
	int fd;

	start("serve");
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	snprintf(path, sizeof(path), "%s/rt/engines/%u-%d-0", d.dir, geteuid(), d.pid);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_uint_eq(st.st_uid, geteuid());
	close(fd);
	kill(d.pid, SIGTERM);
	ck_assert_int_eq(daemon_wait(&d), 0);
	snprintf(path, sizeof(path), "%s/rt/engines", d.dir);
	ck_assert_int_eq(stat(path, &st), -1);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

/* ---- status ---- */

START_TEST(status_shows_the_engine)
{
	struct ringd_status s[2];
	struct ringd_welcome w;
	int fd;

	start("serve");
	ck_assert_int_eq(client_status(&d, s, 2), 0);
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	ck_assert_int_eq(client_status(&d, s, 2), 1);
	ck_assert_int_eq(s[0].msg.res, 0);
	ck_assert_uint_eq(s[0].engine_pid, w.engine_pid);
	ck_assert_uint_eq(s[0].uid, geteuid());
	ck_assert_uint_eq(s[0].gid, getegid());
	ck_assert_uint_eq(s[0].submitted, 7);
	ck_assert_str_eq(s[0].backend, "sync");
	close(fd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_cannot_lie_about_what_it_is)
{
	struct ringd_status s[2];
	struct ringd_welcome w;
	int fd;

	start("wrong");
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(client_status(&d, s, 2), 1);
		ck_assert_int_eq(s[0].msg.res, 0);
		ck_assert_uint_eq(s[0].engine_pid, w.engine_pid);
		ck_assert_uint_eq(s[0].uid, geteuid());
		for (const char *p = s[0].backend; *p; p++)
			ck_assert_msg((*p >= 'a' && *p <= 'z') || *p == '?', "character %d", *p);
	}
	close(fd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_that_does_not_answer_is_shown_as_such)
{
	struct ringd_status s[2];
	struct ringd_welcome w;
	int fd;

	start("silent");
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	ck_assert_int_eq(client_status(&d, s, 2), 1);
	ck_assert_int_eq(s[0].msg.res, -ETIMEDOUT);
	ck_assert_uint_eq(s[0].engine_pid, w.engine_pid);
	ck_assert_uint_eq(s[0].uid, geteuid());
	close(fd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

/* ---- begin and end ---- */

START_TEST(sigterm_ends_engines_and_removes_the_socket)
{
	struct ringd_welcome w;
	struct stat st;
	int fd, pidfd;

	start("serve");
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	pidfd = watch_pid((pid_t)w.engine_pid);
	kill(d.pid, SIGTERM);
	ck_assert_int_eq(daemon_wait(&d), 0);
	ck_assert(ended(pidfd));
	ck_assert_int_eq(stat(d.socket, &st), -1);
	expect_end(fd);
	close(pidfd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_that_will_not_stop_is_killed)
{
	struct ringd_welcome w;
	int fd, pidfd;

	start("stubborn");
	ck_assert_int_eq(client_open(&d, &fd, &w, NULL), 0);
	pidfd = watch_pid((pid_t)w.engine_pid);
	kill(d.pid, SIGTERM);
	ck_assert_int_eq(daemon_wait(&d), 0);
	ck_assert(ended(pidfd));
	close(fd);
	close(pidfd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(who_waits_at_shutdown_is_told)
{
	struct ringd_error e;
	int fd;

	start("mute");
	fd = client_connect(&d);
	ck_assert_int_eq(client_hello(fd, RINGD_HELLO_CLIENT, 1), 0);
	/* the HELLO has been read when a later one is answered */
	ck_assert_int_eq(client_status(&d, (struct ringd_status[2]){ 0 }, 2), 1);
	kill(d.pid, SIGTERM);
	ck_assert_int_eq(client_recv(fd, &e, sizeof(e)), sizeof(e));
	ck_assert_int_eq(e.msg.res, -EAGAIN);
	kill(d.pid, SIGTERM);		/* the second time it does not wait for the engine */
	ck_assert_int_eq(daemon_wait(&d), 0);
	close(fd);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(a_second_ringd_refuses_to_start)
{
	char rt[96], text[1024];
	char *args[] = { (char *)"ringd", (char *)"--user", (char *)"--runtime-dir", rt, NULL };

	start("serve");
	snprintf(rt, sizeof(rt), "%s/rt", d.dir);
	ck_assert_int_eq(run_ringd(args, "RINGD_ENGINE=/bin/true", text, sizeof(text)), 1);
	ck_assert_msg(strstr(text, "another ringd is running"), "%s", text);
	expect_welcome();
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(a_killed_ringd_leaves_nothing_in_the_way)
{
	char path[128];
	struct stat st;

	start("serve");
	expect_welcome();
	snprintf(path, sizeof(path), "%s/rt/engines/%u-%d-0", d.dir, geteuid(), d.pid);
	ck_assert_int_eq(stat(path, &st), 0);
	kill(d.pid, SIGKILL);
	ck_assert_int_eq(daemon_wait(&d), 128 + SIGKILL);
	close(d.err);
	daemon_restart(&d, "serve", user_mode);
	ck_assert_int_eq(stat(path, &st), -1);
	expect_welcome();
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(a_directory_that_others_may_write_to_is_refused)
{
	char dir[] = "/tmp/ringd-test-XXXXXX", text[1024];
	char *args[] = { (char *)"ringd", (char *)"--user", (char *)"--runtime-dir", dir, NULL };

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(run_ringd(args, "RINGD_ENGINE=/bin/true", text, sizeof(text)), 1);
	ck_assert_msg(strstr(text, "written by others"), "%s", text);
	rmdir(dir);
}
END_TEST

START_TEST(without_any_directory_it_says_what_to_do)
{
	char *args[] = { (char *)"ringd", (char *)"--user", NULL };
	char text[1024];

	ck_assert_int_eq(run_ringd(args, "RINGD_ENGINE=/bin/true", text, sizeof(text)), 1);
	ck_assert_msg(strstr(text, "--runtime-dir"), "%s", text);
}
END_TEST

static char *const bad_options[] = {
	(char *)"--max-bytes=many", (char *)"--max-rings=0", (char *)"--backend=magic", (char *)"--socket-mode=999",
	(char *)"--ready-fd=-1", (char *)"--max-tenants=0", (char *)"--log-level=loud", (char *)"--no-such-thing",
};

START_TEST(a_bad_option_is_an_error_at_start)
{
	char *args[] = { (char *)"ringd", (char *)"--user", bad_options[_i], NULL };
	char text[1024];

	ck_assert_int_eq(run_ringd(args, NULL, text, sizeof(text)), 64);	/* EX_USAGE, as argp has it */
	ck_assert_uint_ne(text[0], 0);
}
END_TEST

START_TEST(systemd_is_told_about_begin_and_end)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[256] = "";

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);	/* an abstract name of the kernel's choice */
	len = sizeof(sa);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(text, sizeof(text), "@%.*s", (int)(len - sizeof(sa_family_t) - 1), sa.sun_path + 1);
	setenv("NOTIFY_SOCKET", text, 1);
	start("serve");
	memset(text, 0, sizeof(text));
	ck_assert_int_gt(client_recv(fd, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "READY=1");
	ck_assert_int_eq(daemon_stop(&d), 0);
	memset(text, 0, sizeof(text));
	ck_assert_int_gt(client_recv(fd, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "STOPPING=1");
	close(fd);
}
END_TEST

static void pass_socket(const struct daemon *dm)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char pid[16];

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/given", dm->dir);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 16) < 0 || dup2(fd, 100) < 0)
		_exit(1);
	/* systemd's first descriptor is 3; the ready descriptor is higher here */
	if (dup2(100, 3) < 0)
		_exit(1);
	close(100);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", pid, 1);
}

START_TEST(a_socket_of_systemd_is_used_and_left_alone)
{
	struct stat st;

	(void)!dup2(STDIN_FILENO, 3);	/* so that the test's own descriptors do not take its place */
	daemon_before_exec = pass_socket;
	start("serve");
	ck_assert_int_eq(stat(d.socket, &st), -1);
	snprintf(d.socket, sizeof(d.socket), "%s/given", d.dir);
	expect_welcome();
	kill(d.pid, SIGTERM);
	ck_assert_int_eq(daemon_wait(&d), 0);
	ck_assert_int_eq(stat(d.socket, &st), 0);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ringd");
	TCase *hello = tcase_create("hello"), *engine = tcase_create("engine"), *life = tcase_create("life");

	tcase_add_test(hello, a_good_hello_is_welcomed_by_the_engine);
	tcase_add_loop_test(hello, a_wrong_hello_is_told_why_and_dropped, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(hello, who_says_nothing_is_dropped);
	tcase_add_test(hello, who_leaves_before_the_hello_does_no_harm);
	tcase_add_test(hello, hundreds_of_half_open_connections_are_bounded);
	tcase_add_loop_test(hello, descriptors_with_a_hello_are_refused_and_closed, 0, 2);
	tcase_add_test(hello, descriptors_after_the_welcome_get_through);
	tcase_add_test(hello, many_clients_wait_together_for_their_engine);
	tcase_add_test(hello, running_out_of_descriptors_passes);
	suite_add_tcase(s, hello);
	tcase_add_test(engine, a_killed_engine_is_replaced);
	tcase_add_test(engine, an_engine_that_dies_at_start_is_backed_off);
	tcase_add_test(engine, an_engine_that_dies_with_its_client_does_not_take_the_manager_along);
	tcase_add_test(engine, an_engine_that_never_becomes_ready_is_killed);
	tcase_add_test(engine, an_engine_that_breaks_the_protocol_is_killed);
	tcase_add_test(engine, an_engine_that_floods_its_link_does_not_stop_the_manager);
	tcase_add_test(engine, an_idle_engine_ends_and_comes_again_without_back_off);
	tcase_add_test(engine, engine_directories_are_private_and_go_away);
	tcase_add_test(engine, status_shows_the_engine);
	tcase_add_test(engine, an_engine_cannot_lie_about_what_it_is);
	tcase_add_test(engine, an_engine_that_does_not_answer_is_shown_as_such);
	suite_add_tcase(s, engine);
	tcase_add_test(life, sigterm_ends_engines_and_removes_the_socket);
	tcase_add_test(life, an_engine_that_will_not_stop_is_killed);
	tcase_add_test(life, who_waits_at_shutdown_is_told);
	tcase_add_test(life, a_second_ringd_refuses_to_start);
	tcase_add_test(life, a_killed_ringd_leaves_nothing_in_the_way);
	tcase_add_test(life, a_directory_that_others_may_write_to_is_refused);
	tcase_add_test(life, without_any_directory_it_says_what_to_do);
	tcase_add_loop_test(life, a_bad_option_is_an_error_at_start, 0, (int)(sizeof(bad_options) / sizeof(bad_options[0])));
	tcase_add_test(life, systemd_is_told_about_begin_and_end);
	tcase_add_test(life, a_socket_of_systemd_is_used_and_left_alone);
	suite_add_tcase(s, life);
	return rd_suite_main(s);
}
