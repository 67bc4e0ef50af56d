/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringd as root: who an engine is, what it cannot do, and which files its clients share it with. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "daemon/common/link.h"
#include "tests/unit/suite.h"

#define A 61001		/* uids that nobody has; they need no names */
#define B 61002

static struct daemon d;

static void start(char *const *args)
{
	daemon_start(&d, "serve", args);
}

/* What a client process does before it connects. */
struct who {
	uid_t uid;
	gid_t gid;
	gid_t groups[3];
	size_t n_groups;
	int unshare;		/* CLONE_NEW* */
	bool chroot;		/* to d.dir, in which the socket is /rt/ringd.sock */
	bool orphan;		/* the process that connected is gone when the HELLO is sent */
	bool mapped;		/* be uid 200000, mapped into a user namespace that uid made */
	bool late_uid;		/* become uid between connect and HELLO, root before */
};

struct answer {
	int res;
	char text[RINGD_TEXT_MAX];
	uint32_t engine, flags;
};

struct client {
	pid_t pid;
	int from, to;		/* pipes; a byte ends it */
	struct answer a;
};

static bool change_ids(const struct who *w)
{
	return setgroups(w->n_groups, w->groups) == 0 && setresgid(w->gid, w->gid, w->gid) == 0 &&
	       setresuid(w->uid, w->uid, w->uid) == 0;
}

/* Root's part of a mapped one: what newuidmap does. */
static void write_map(pid_t pid)
{
	static const char map[] = "0 61001 1\n1 200000 1\n";
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	_exit(fd < 0 || write(fd, map, sizeof(map) - 1) < 0);
}

static bool become_mapped(const struct who *w)
{
	int p[2], status;
	pid_t me = getpid(), helper;
	char c = 0;

	if (pipe(p) < 0 || (helper = fork()) < 0)
		return false;
	if (helper == 0) {
		if (read(p[0], &c, 1) == 1)
			write_map(me);
		_exit(1);
	}
	return change_ids(w) && unshare(CLONE_NEWUSER) == 0 && write(p[1], &c, 1) == 1 &&
	       waitpid(helper, &status, 0) == helper && status == 0 && setresuid(1, 1, 1) == 0;
}

static bool become(const struct who *w)
{
	if (w->mapped)
		return become_mapped(w);
	if (w->unshare & CLONE_NEWUSER)		/* an unprivileged process makes its own */
		return change_ids(w) && unshare(w->unshare) == 0;
	if (w->unshare && unshare(w->unshare) < 0)
		return false;
	if (w->unshare & CLONE_NEWNS && (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
					 mount("ringd-test", "/mnt", "tmpfs", 0, NULL) < 0 || mkdir("/mnt/inside", 0755) < 0))
		return false;
	if (w->chroot) {
		if (chroot(d.dir) < 0 || chdir("/") < 0)
			return false;
		strcpy(d.socket, "/rt/" RINGD_SOCKET_NAME);
	}
	return w->late_uid || change_ids(w);
}

static int connect_as(const struct who *w)
{
	pid_t me = getpid();
	int sock;

	if (!become(w))
		_exit(9);
	sock = client_connect(&d);
	if (w->orphan) {
		if (fork() > 0)
			_exit(0);
		while (getppid() == me)
			poll(NULL, 0, 1);
	}
	if (w->late_uid && !change_ids(w))
		_exit(9);
	return sock;
}

static void run_client(const struct who *w, int out, int in) __attribute__((__noreturn__));
static void run_client(const struct who *w, int out, int in)
{
	union {
		struct ringd_msg msg;
		struct ringd_welcome w;
		struct ringd_error e;
	} u = { 0 };
	struct answer a = { .res = -ECONNRESET };
	int sock = connect_as(w);
	char c;

	if (client_hello(sock, RINGD_HELLO_CLIENT, 1) == 0 && client_recv(sock, &u, sizeof(u)) > 0) {
		a.res = u.msg.res;
		if (a.res < 0) {
			memcpy(a.text, u.e.text, sizeof(a.text));
		} else {
			a.engine = u.w.engine_pid;
			a.flags = u.w.spin_us;	/* the test engine puts them there */
		}
	}
	if (write(out, &a, sizeof(a)) != sizeof(a))
		_exit(8);
	(void)!read(in, &c, 1);		/* until nobody needs it any more */
	_exit(0);
}

static struct client client_as(const struct who *w)
{
	struct client c;
	int from[2], to[2];

	ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
	c.pid = fork();
	ck_assert_int_ge(c.pid, 0);
	if (c.pid == 0) {
		close(from[0]);
		close(to[1]);
		run_client(w, from[1], to[0]);
	}
	close(from[1]);
	close(to[0]);
	c.from = from[0];
	c.to = to[1];
	ck_assert_msg(read(c.from, &c.a, sizeof(c.a)) == sizeof(c.a), "the client could not become what it should be");
	return c;
}

static void client_end(struct client *c)
{
	(void)!write(c->to, "", 1);	/* not by closing: later clients have inherited it */
	close(c->to);
	close(c->from);
	waitpid(c->pid, NULL, 0);
}

static void welcomed(const struct client *c)
{
	ck_assert_msg(c->a.res == 0, "%d: %s", c->a.res, c->a.text);
}

/* The value of a line of /proc/PID/status. */
static const char *status_of(uint32_t pid, const char *name)
{
	static char line[512];
	size_t len = strlen(name);
	char path[32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, len) || line[len] != ':')
			continue;
		fclose(f);
		line[strcspn(line, "\n")] = 0;
		return line + len + 2;
	}
	ck_abort_msg("no %s in %s", name, path);
	return NULL;
}

static bool same_ns(pid_t a, pid_t b, const char *name)
{
	char path[48], x[64] = "", y[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", a, name);
	ck_assert_int_gt(readlink(path, x, sizeof(x) - 1), 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", b, name);
	ck_assert_int_gt(readlink(path, y, sizeof(y) - 1), 0);
	return !strcmp(x, y);
}

/* path as the process sees it */
static bool sees(uint32_t pid, const char *path)
{
	char full[128];
	struct stat st;

	snprintf(full, sizeof(full), "/proc/%u/root%s", pid, path);
	return stat(full, &st) == 0;
}

static bool sanitized(void)
{
	const char *s = getenv("RINGD_SANITIZERS");

	return s && *s;
}

static const struct who user_a = { .uid = A, .gid = A, .groups = { 5, 7 }, .n_groups = 2 };
static const struct who user_b = { .uid = B, .gid = B };

/* ---- who an engine is ---- */

START_TEST(an_engine_has_the_ids_of_its_tenant_and_no_capability)
{
	static const char *const caps[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	struct client c;

	start(NULL);
	c = client_as(&user_a);
	welcomed(&c);
	ck_assert_uint_eq(c.a.flags, 0);
	ck_assert_str_eq(status_of(c.a.engine, "Uid"), "61001\t61001\t61001\t61001");
	ck_assert_str_eq(status_of(c.a.engine, "Gid"), "61001\t61001\t61001\t61001");
	ck_assert_str_eq(status_of(c.a.engine, "Groups"), "5 7 ");
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		ck_assert_str_eq(status_of(c.a.engine, caps[i]), "0000000000000000");
	ck_assert_str_eq(status_of(c.a.engine, "NoNewPrivs"), "1");
	ck_assert_str_eq(status_of(c.a.engine, "Umask"), "0022");
	if (!sanitized())
		ck_assert_str_eq(status_of(c.a.engine, "Seccomp"), "2");
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(the_engine_of_root_has_no_capability_either)
{
	const struct who root = { 0 };
	struct client c;

	start(NULL);
	c = client_as(&root);
	welcomed(&c);
	ck_assert_str_eq(status_of(c.a.engine, "CapPrm"), "0000000000000000");
	ck_assert_str_eq(status_of(c.a.engine, "CapBnd"), "0000000000000000");
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_inherits_nothing_but_its_link)
{
	char path[64], link[128], env[4096];
	struct client c;
	ssize_t n;
	int env_fd;

	setenv("RINGD_TEST_MARK", "x", 1);
	start(NULL);
	c = client_as(&user_a);
	welcomed(&c);
	ck_assert_int_eq(count_fds((pid_t)c.a.engine), 5);	/* three standard ones, the link, the client */
	for (int fd = 0; fd < 2; fd++) {
		snprintf(path, sizeof(path), "/proc/%u/fd/%d", c.a.engine, fd);
		n = readlink(path, link, sizeof(link) - 1);
		ck_assert_int_gt(n, 0);
		link[n] = 0;
		ck_assert_str_eq(link, "/dev/null");
	}
	snprintf(path, sizeof(path), "/proc/%u/environ", c.a.engine);
	n = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(n, 0);
	env_fd = (int)n;
	n = read(env_fd, env, sizeof(env));		/* the shell that gives the test engine its mode adds some of its own */
	ck_assert_int_ge(n, 0);
	ck_assert_ptr_null(memmem(env, (size_t)n, "RINGD_TEST_MARK", 15));
	close(env_fd);
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

static int try_to_look(uint32_t engine)
{
	char path[64];

	if (!change_ids(&user_a))
		return 1;
	snprintf(path, sizeof(path), "/proc/%u/mem", engine);
	if (open(path, O_RDONLY | O_CLOEXEC) >= 0)
		return 2;
	if (count_fds((pid_t)engine) >= 0)
		return 3;
	if (ptrace(PTRACE_SEIZE, (pid_t)engine, NULL, NULL) == 0)
		return 4;
	return 0;
}

START_TEST(processes_of_the_same_uid_cannot_look_into_an_engine)
{
	struct client c;
	int status;
	pid_t pid;

	start(NULL);
	c = client_as(&user_a);
	welcomed(&c);
	pid = sanitized() ? -1 : fork();	/* the leak checker needs a process that can be traced */
	if (pid == 0)
		_exit(try_to_look(c.a.engine));
	if (pid > 0) {
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

/* ---- who shares an engine ---- */

START_TEST(processes_of_a_tenant_share_an_engine)
{
	struct client x, y;

	start(NULL);
	x = client_as(&user_a);
	y = client_as(&user_a);
	welcomed(&x);
	ck_assert_uint_eq(x.a.engine, y.a.engine);
	client_end(&x);
	client_end(&y);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

static const struct who others[] = {
	{ .uid = B, .gid = A, .groups = { 5, 7 }, .n_groups = 2 },
	{ .uid = A, .gid = B, .groups = { 5, 7 }, .n_groups = 2 },
	{ .uid = A, .gid = A, .groups = { 5 }, .n_groups = 1 },
	{ .uid = A, .gid = A, .groups = { 5, 7 }, .n_groups = 2, .unshare = CLONE_NEWNS },
	{ .uid = A, .gid = A, .groups = { 5, 7 }, .n_groups = 2, .unshare = CLONE_NEWNET },
	{ .uid = A, .gid = A, .groups = { 5, 7 }, .n_groups = 2, .unshare = CLONE_NEWUSER },
	{ .uid = A, .gid = A, .groups = { 5, 7 }, .n_groups = 2, .chroot = true },
	{ .uid = A, .gid = A, .groups = { 5, 7 }, .n_groups = 2, .orphan = true },
};

START_TEST(whoever_differs_has_another_engine)
{
	struct client x, y;

	start(NULL);
	x = client_as(&user_a);
	y = client_as(&others[_i]);
	welcomed(&x);
	welcomed(&y);
	ck_assert_uint_ne(x.a.engine, y.a.engine);
	client_end(&x);
	client_end(&y);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(the_order_of_groups_makes_no_difference)
{
	const struct who swapped = { .uid = A, .gid = A, .groups = { 7, 5, 7 }, .n_groups = 3 };
	struct client x, y;

	start(NULL);
	x = client_as(&user_a);
	y = client_as(&swapped);
	welcomed(&y);
	ck_assert_uint_eq(x.a.engine, y.a.engine);
	client_end(&x);
	client_end(&y);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

/* ---- namespaces and roots ---- */

START_TEST(an_engine_joins_the_mount_namespace_of_its_clients)
{
	const struct who w = { .uid = A, .gid = A, .unshare = CLONE_NEWNS };
	struct client c;

	start(NULL);
	c = client_as(&w);
	welcomed(&c);
	ck_assert_uint_eq(c.a.flags, 0);
	ck_assert(same_ns(c.pid, (pid_t)c.a.engine, "mnt"));
	ck_assert(!same_ns(getpid(), (pid_t)c.a.engine, "mnt"));
	ck_assert(sees(c.a.engine, "/mnt/inside"));
	ck_assert_str_eq(status_of(c.a.engine, "Uid"), "61001\t61001\t61001\t61001");
	ck_assert_str_eq(status_of(c.a.engine, "CapBnd"), "0000000000000000");
	ck_assert_int_eq(count_fds((pid_t)c.a.engine), 5);
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_has_the_root_of_its_clients)
{
	const struct who w = { .uid = A, .gid = A, .chroot = true };
	struct client c;

	start(NULL);
	c = client_as(&w);
	welcomed(&c);
	ck_assert(sees(c.a.engine, "/rt/" RINGD_SOCKET_NAME));
	ck_assert(!sees(c.a.engine, "/proc"));
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(a_root_inside_another_mount_namespace_is_found)
{
	const struct who w = { .uid = A, .gid = A, .unshare = CLONE_NEWNS | CLONE_NEWNET, .chroot = true };
	struct client c;

	start(NULL);
	c = client_as(&w);
	welcomed(&c);
	ck_assert(same_ns(c.pid, (pid_t)c.a.engine, "mnt"));
	ck_assert(same_ns(c.pid, (pid_t)c.a.engine, "net"));
	ck_assert(sees(c.a.engine, "/rt/" RINGD_SOCKET_NAME));
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(an_engine_joins_a_user_namespace_without_power_in_it)
{
	const struct who w = { .uid = A, .gid = A, .unshare = CLONE_NEWUSER | CLONE_NEWNS };
	static const char *const caps[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	struct client c;

	start(NULL);
	c = client_as(&w);
	welcomed(&c);
	ck_assert(same_ns(c.pid, (pid_t)c.a.engine, "user"));
	ck_assert(same_ns(c.pid, (pid_t)c.a.engine, "mnt"));
	ck_assert_str_eq(status_of(c.a.engine, "Uid"), "61001\t61001\t61001\t61001");
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		ck_assert_str_eq(status_of(c.a.engine, caps[i]), "0000000000000000");
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(the_socket_of_a_dead_process_opens_no_paths)
{
	const struct who w = { .uid = A, .gid = A, .orphan = true };
	struct client c;

	start(NULL);
	c = client_as(&w);
	welcomed(&c);
	ck_assert_uint_eq(c.a.flags, RD_CLIENT_NO_PATHS | RD_CLIENT_NO_NETWORK);
	ck_assert(same_ns(getpid(), (pid_t)c.a.engine, "mnt"));
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(who_changed_its_uid_after_connecting_is_not_looked_at)
{
	const struct who w = { .uid = A, .gid = A, .late_uid = true };
	struct client c;

	start(NULL);
	c = client_as(&w);
	welcomed(&c);
	ck_assert_uint_eq(c.a.flags, RD_CLIENT_NO_PATHS | RD_CLIENT_NO_NETWORK);
	ck_assert_str_eq(status_of(c.a.engine, "Uid"), "0\t0\t0\t0");	/* what the socket recorded */
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

/* ---- limits and views ---- */

static int status_as(const struct who *w, struct ringd_status *s, int max)
{
	static struct ringd_status got[4];
	int p[2], n = -1;
	pid_t pid;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (!change_ids(w))
			_exit(1);
		n = client_status(&d, got, max);
		_exit(write(p[1], &n, sizeof(n)) != sizeof(n) || write(p[1], got, sizeof(*s)) != (ssize_t)sizeof(*s));
	}
	close(p[1]);
	ck_assert_int_eq(read(p[0], &n, sizeof(n)), sizeof(n));
	ck_assert_int_eq(read(p[0], s, sizeof(*s)), sizeof(*s));
	close(p[0]);
	waitpid(pid, NULL, 0);
	return n;
}

START_TEST(status_shows_a_user_its_own_engines_and_root_all)
{
	struct ringd_status s[4];
	struct client x, y;

	start(NULL);
	x = client_as(&user_a);
	y = client_as(&user_b);
	welcomed(&y);
	ck_assert_int_eq(status_as(&user_a, s, 4), 1);
	ck_assert_uint_eq(s[0].uid, A);
	ck_assert_uint_eq(s[0].engine_pid, x.a.engine);
	ck_assert_int_eq(status_as(&user_b, s, 4), 1);
	ck_assert_uint_eq(s[0].uid, B);
	ck_assert_int_eq(client_status(&d, s, 4), 2);
	client_end(&x);
	client_end(&y);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(more_tenants_than_allowed_are_refused_with_the_reason)
{
	char *const args[] = { (char *)"--max-tenants=1", NULL };
	struct client x, y;

	start(args);
	x = client_as(&user_a);
	welcomed(&x);
	y = client_as(&user_b);
	ck_assert_int_eq(y.a.res, -EDQUOT);
	ck_assert_msg(strstr(y.a.text, "--max-tenants"), "%s", y.a.text);
	client_end(&x);
	client_end(&y);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(one_uid_gets_a_quarter_of_all_engines)
{
	char *const args[] = { (char *)"--max-tenants=4", NULL };
	const struct who other_groups = { .uid = A, .gid = A };
	struct client x, y, z;

	start(args);
	x = client_as(&user_a);
	y = client_as(&other_groups);
	z = client_as(&user_b);
	welcomed(&x);
	ck_assert_int_eq(y.a.res, -EDQUOT);
	welcomed(&z);
	client_end(&x);
	client_end(&y);
	client_end(&z);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(uids_of_a_user_namespace_count_as_its_maker)
{
	char *const args[] = { (char *)"--max-tenants=4", NULL };
	const struct who mapped = { .uid = A, .gid = A, .mapped = true };
	struct client x, y, z;

	start(args);
	x = client_as(&mapped);
	welcomed(&x);
	ck_assert_str_eq(status_of(x.a.engine, "Uid"), "200000\t200000\t200000\t200000");
	y = client_as(&user_a);
	ck_assert_int_eq(y.a.res, -EDQUOT);
	z = client_as(&user_b);
	welcomed(&z);
	client_end(&x);
	client_end(&y);
	client_end(&z);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(user_mode_refuses_other_uids)
{
	char *const args[] = { (char *)"--user", (char *)"--socket-mode=0666", NULL };
	struct client c;
	char path[96];

	start(args);
	snprintf(path, sizeof(path), "%s/rt", d.dir);
	ck_assert_int_eq(chmod(path, 0755), 0);
	c = client_as(&user_a);
	ck_assert_int_eq(c.a.res, -EPERM);
	ck_assert_msg(strstr(c.a.text, "own user"), "%s", c.a.text);
	client_end(&c);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(user_mode_flags_who_sees_other_files_or_another_network)
{
	static const struct {
		struct who who;
		unsigned int flags;
	} strangers[] = {
		{ { .unshare = CLONE_NEWNS }, RD_CLIENT_NO_PATHS },
		{ { .chroot = true }, RD_CLIENT_NO_PATHS },
		{ { .groups = { 5 }, .n_groups = 1 }, RD_CLIENT_NO_PATHS },
		{ { .gid = 5 }, RD_CLIENT_NO_PATHS },
		{ { .unshare = CLONE_NEWNET }, RD_CLIENT_NO_NETWORK },
		{ { .orphan = true }, RD_CLIENT_NO_PATHS | RD_CLIENT_NO_NETWORK },
	};
	char *const args[] = { (char *)"--user", NULL };
	const struct who same = { 0 };
	struct client c;

	setgroups(0, NULL);
	start(args);
	c = client_as(&same);
	welcomed(&c);
	ck_assert_uint_eq(c.a.flags, 0);
	client_end(&c);
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		c = client_as(&strangers[i].who);
		welcomed(&c);
		ck_assert_uint_eq(c.a.flags, strangers[i].flags);
		client_end(&c);
	}
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

START_TEST(engine_directories_belong_to_the_tenant)
{
	struct client c;
	struct stat st;
	char path[128];

	start(NULL);
	c = client_as(&user_a);
	welcomed(&c);
	snprintf(path, sizeof(path), "%s/rt/engines/%u-%d-0", d.dir, A, d.pid);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, A);
	ck_assert_uint_eq(st.st_gid, A);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	/* what the tenant leaves there does not keep it, nor does it lead us elsewhere */
	strcat(path, "/link");
	ck_assert_int_eq(symlink(d.socket, path), 0);
	client_end(&c);
	kill(d.pid, SIGTERM);
	ck_assert_int_eq(daemon_wait(&d), 0);
	snprintf(path, sizeof(path), "%s/rt/engines", d.dir);
	ck_assert_int_eq(stat(path, &st), -1);
	ck_assert_int_eq(daemon_stop(&d), 0);
}
END_TEST

/* A kernel or container that does not let us make namespaces cannot run these. */
static bool may_unshare(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		      setresuid(A, A, A) < 0 || unshare(CLONE_NEWUSER) < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	Suite *s;
	TCase *who, *ns, *limits;

	if (geteuid() != 0)
		return rd_suite_skip("needs root");
	if (!may_unshare())
		return rd_suite_skip("needs namespaces");
	s = suite_create("ringd_root");
	who = tcase_create("who");
	ns = tcase_create("namespaces");
	limits = tcase_create("limits");
	tcase_add_test(who, an_engine_has_the_ids_of_its_tenant_and_no_capability);
	tcase_add_test(who, the_engine_of_root_has_no_capability_either);
	tcase_add_test(who, an_engine_inherits_nothing_but_its_link);
	tcase_add_test(who, processes_of_the_same_uid_cannot_look_into_an_engine);
	tcase_add_test(who, processes_of_a_tenant_share_an_engine);
	tcase_add_loop_test(who, whoever_differs_has_another_engine, 0, (int)(sizeof(others) / sizeof(others[0])));
	tcase_add_test(who, the_order_of_groups_makes_no_difference);
	suite_add_tcase(s, who);
	tcase_add_test(ns, an_engine_joins_the_mount_namespace_of_its_clients);
	tcase_add_test(ns, an_engine_has_the_root_of_its_clients);
	tcase_add_test(ns, a_root_inside_another_mount_namespace_is_found);
	tcase_add_test(ns, an_engine_joins_a_user_namespace_without_power_in_it);
	tcase_add_test(ns, the_socket_of_a_dead_process_opens_no_paths);
	tcase_add_test(ns, who_changed_its_uid_after_connecting_is_not_looked_at);
	suite_add_tcase(s, ns);
	tcase_add_test(limits, status_shows_a_user_its_own_engines_and_root_all);
	tcase_add_test(limits, more_tenants_than_allowed_are_refused_with_the_reason);
	tcase_add_test(limits, one_uid_gets_a_quarter_of_all_engines);
	tcase_add_test(limits, uids_of_a_user_namespace_count_as_its_maker);
	tcase_add_test(limits, user_mode_refuses_other_uids);
	tcase_add_test(limits, user_mode_flags_who_sees_other_files_or_another_network);
	tcase_add_test(limits, engine_directories_belong_to_the_tenant);
	suite_add_tcase(s, limits);
	return rd_suite_main(s);
}
