/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report of ringd-run. Engines come and go with the rings: what one has counted is added up when it goes, and the rings'
 * own words are kept. The text is made in memory of its own, so that also a signal handler that ends the process can have it.
 * A child of fork() begins at zero; vfork()'s has nothing to tell, and must not tell its parent's.
 */
#include "report.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/common/text.h"
#include "daemon/engine/request/opdef.h"
#include "daemon/engine/ring/show.h"
#include "names.h"

#define SHAPES		32	/* rings of different sizes or flags */
#define REFUSALS	64	/* different ones */
#define KEPT		8	/* rings whose last state is kept */
#define KEPT_MAX	(16u << 10)
#define TEXT_MAX	(512u << 10)
#define TEXT_ROOM	(TEXT_MAX + 4096)

enum call { CALL_OP, CALL_SETUP, CALL_ENTER, CALL_REGISTER };

static struct {
	int fd;				/* -1: path */
	dev_t dev;
	ino_t ino;
	char path[PATH_MAX];
	pid_t pid;			/* whose numbers these are */
	uint64_t rings, most, lost;	/* made; at the same time; refusals that had no room */
	uint32_t at_once;
	struct {
		uint32_t sq, cq, flags;
		uint64_t n;
	} shapes[SHAPES];
	struct {
		enum call call;
		unsigned int op;
		int err;
		uint64_t n;
	} refusals[REFUSALS];
	struct {
		uint32_t id;
		int fd;
		struct rd_text text;
	} kept[KEPT];
	unsigned int n_kept;
	bool uring;			/* an engine has had a kernel ring */
	struct rd_stats ended;		/* of engines that have gone, */
	struct rd_stats before;		/* and what the present one had counted before this process began */
	struct rd_text text;
} report = { .fd = -1 };
bool rd_local_reporting;

/* --- counting --- */

static void add_stats(struct rd_stats *to, const struct rd_stats *more, const struct rd_stats *less)
{
	to->submitted += more->submitted - less->submitted;
	to->completed += more->completed - less->completed;
	for (size_t i = 0; i < RINGD_STATUS_OPS; i++) {
		to->ops[i] += more->ops[i] - less->ops[i];
		for (size_t way = 0; way < RD_WAYS; way++)
			to->ways[way][i] += more->ways[way][i] - less->ways[way][i];
	}
}

static void refused(enum call call, unsigned int op, int err)
{
	for (size_t i = 0; i < REFUSALS; i++) {
		if (report.refusals[i].n && (report.refusals[i].call != call || report.refusals[i].op != op ||
					     report.refusals[i].err != err))
			continue;
		report.refusals[i].call = call;
		report.refusals[i].op = op;
		report.refusals[i].err = err;
		report.refusals[i].n++;
		return;
	}
	report.lost++;
}

/* Of results those that say that there is no such thing, not those that tell how it went. */
static void failed(struct rd_req *req)
{
	if (req->res == -EINVAL || req->res == -EOPNOTSUPP || req->res == -ENOSYS)
		refused(CALL_OP, req->opcode, -req->res);
}

static void count_shape(const struct ringd_params *p)
{
	for (size_t i = 0; i < SHAPES; i++) {
		if (report.shapes[i].n && (report.shapes[i].sq != p->sq_entries || report.shapes[i].cq != p->cq_entries ||
					   report.shapes[i].flags != p->flags))
			continue;
		report.shapes[i].sq = p->sq_entries;
		report.shapes[i].cq = p->cq_entries;
		report.shapes[i].flags = p->flags;
		report.shapes[i].n++;
		return;
	}
}

void rd_local_report_setup_slow(const struct ringd_params *asked, const struct rd_local_ring *lr, int err)
{
	if (!lr) {
		refused(CALL_SETUP, asked->flags, -err);
		return;
	}
	report.rings++;
	report.at_once++;
	report.most = RD_MAX(report.most, (uint64_t)report.at_once);
	count_shape(&lr->params);
}

void rd_local_report_ring_end_slow(const struct rd_local_ring *lr)
{
	if (report.at_once)
		report.at_once--;
	if (report.n_kept == KEPT || !rd_local_user_mem_there(lr))
		return;
	report.kept[report.n_kept].id = lr->id;
	report.kept[report.n_kept].fd = lr->epfd;
	rd_text_init(&report.kept[report.n_kept].text, KEPT_MAX);
	rd_ring_show(lr->ring, &report.kept[report.n_kept++].text);
}

void rd_local_report_engine_slow(struct rd_engine *engine, bool begins)
{
	if (begins) {
		/* one that counts from zero; also in a child, whose parent's has stayed behind */
		memset(&report.before, 0, sizeof(report.before));
		engine->failed = failed;
		report.uring |= engine->uring != NULL;
		return;
	}
	add_stats(&report.ended, &engine->stats, &report.before);
	memset(&report.before, 0, sizeof(report.before));
}

/* Not every error says that something is missing: these are how waiting ends. */
void rd_local_report_call_slow(bool enter, unsigned int opcode, int err)
{
	if (!enter)
		refused(CALL_REGISTER, opcode & ~RINGD_REGISTER_USE_REGISTERED_RING, -err);
	else if (err != -EINTR && err != -ETIME && err != -EAGAIN && err != -EBUSY)
		refused(CALL_ENTER, 0, -err);
}

/* --- the text --- */

/* A ring's own words do not end with the line. */
static void end_line(struct rd_text *t)
{
	if (t->len && t->buf[t->len - 1] != '\n')
		rd_text_add(t, "\n");
}

static void say_rings(struct rd_text *t)
{
	uint64_t told = 0;

	rd_text_add(t, "%10s %7s %7s  flags\n", "rings", "SQ", "CQ");
	for (size_t i = 0; i < SHAPES && report.shapes[i].n; i++) {
		rd_text_add(t, "%10llu %7u %7u  ", (unsigned long long)report.shapes[i].n, report.shapes[i].sq,
			    report.shapes[i].cq);
		rd_local_add_flags(t, report.shapes[i].flags);
		rd_text_add(t, "\n");
		told += report.shapes[i].n;
	}
	if (report.rings > told)
		rd_text_add(t, "%10llu others\n", (unsigned long long)(report.rings - told));
}

static void say_operations(struct rd_text *t, const struct rd_stats *s)
{
	rd_text_add(t, "%-20s %11s %11s %11s %11s %11s\n", "operation", "completed", "inline", "readiness", "worker",
		    "kernel ring");
	for (unsigned int i = 0; i < RINGD_STATUS_OPS; i++) {
		uint64_t other = 0, n = s->ops[i];

		for (size_t way = 0; way < RD_WAYS; way++)
			other += s->ways[way][i];
		if (!n && !other)
			continue;
		rd_text_add(t, "%-20s %11llu %11llu %11llu %11llu %11llu\n", rd_local_op_name(i), (unsigned long long)n,
			    (unsigned long long)(n > other ? n - other : 0), (unsigned long long)s->ways[RD_WAY_POLL][i],
			    (unsigned long long)s->ways[RD_WAY_WORKER][i], (unsigned long long)s->ways[RD_WAY_RING][i]);
	}
}

static void say_refusals(struct rd_text *t)
{
	static const char *const calls[] = { [CALL_SETUP] = "io_uring_setup, flags ", [CALL_ENTER] = "io_uring_enter" };

	if (report.refusals[0].n)
		rd_text_add(t, "not served, or asked for wrongly:\n");
	for (size_t i = 0; i < REFUSALS && report.refusals[i].n; i++) {
		const char *name = strerrorname_np(report.refusals[i].err);
		unsigned int op = report.refusals[i].op;

		rd_text_add(t, "%10llu %s: ", (unsigned long long)report.refusals[i].n, name ? name : "?");
		if (report.refusals[i].call == CALL_OP)
			rd_text_add(t, "operation %s", rd_local_op_name(op));
		else if (report.refusals[i].call == CALL_REGISTER)
			rd_text_add(t, "io_uring_register, %s", rd_local_register_name(op));
		else
			rd_text_add(t, "%s", calls[report.refusals[i].call]);
		if (report.refusals[i].call == CALL_SETUP)
			rd_local_add_flags(t, op);
		rd_text_add(t, "\n");
	}
	if (report.lost)
		rd_text_add(t, "%10llu others\n", (unsigned long long)report.lost);
}

/* What /proc/self/fdinfo of the descriptors would have said. Rings of now only if they hold still. */
static void say_states(struct rd_text *t, bool locked)
{
	for (unsigned int i = 0; i < report.n_kept; i++) {
		rd_text_add(t, "ring %u, descriptor %d, when it was closed:\n", report.kept[i].id, report.kept[i].fd);
		rd_text_add_text(t, &report.kept[i].text);
		end_line(t);
	}
	for (const struct rd_link *l = rd_local.all.next; locked && l != &rd_local.all; l = l->next) {
		const struct rd_local_ring *lr = rd_list_entry(l, struct rd_local_ring, link);
		bool open;

		if (!lr->refs || lr->ring->dead || !rd_local_user_mem_there(lr))
			continue;
		open = lr->epfd < 0 || rd_local_ring_sure(lr->epfd);
		rd_text_add(t, "ring %u, descriptor %d, %s:\n", lr->id, lr->epfd,
			    open ? "open at the end" : "closed by a system call of the program's own");
		rd_ring_show(lr->ring, t);
		end_line(t);
	}
}

static bool make_text(struct rd_text *t, bool locked)
{
	struct rd_stats *all = &report.ended;

	if (rd_local.running)
		add_stats(all, &rd_local.engine.stats, &report.before);
	if (!report.rings && !report.refusals[0].n && !all->submitted && !all->completed)
		return false;
	rd_text_add(t, "ringd-run: report of process %d (%s)\n", (int)report.pid, program_invocation_short_name);
	rd_text_add(t, "rings: %llu, at most %llu at a time; requests: %llu, completed: %llu; back end: %s\n",
		    (unsigned long long)report.rings, (unsigned long long)report.most, (unsigned long long)all->submitted,
		    (unsigned long long)all->completed, report.uring ? "uring" : "sync");
	if (report.rings)
		say_rings(t);
	say_operations(t, all);
	say_refusals(t);
	say_states(t, locked);
	return true;
}

/* --- telling it --- */

static void write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

/* Nobody may be left to read it, or the file may be long enough: no reason for the program to end in another way. */
static void write_quietly(int fd, const struct rd_text *t)
{
	const struct timespec now = { 0 };
	sigset_t set, old, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGXFSZ);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	write_all(fd, t->buf, t->len);
	/* one that was pending before is the program's */
	if (!sigismember(&pending, SIGPIPE) && !sigismember(&pending, SIGXFSZ))
		while (sigtimedwait(&set, NULL, &now) > 0)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void tell(const struct rd_text *t)
{
	struct stat st;
	int fd;

	if (report.fd < 0) {
		fd = open(report.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
		if (fd >= 0)
			write_quietly(fd, t);
		rd_close(fd);
	} else if (fstat(report.fd, &st) == 0 && st.st_dev == report.dev && st.st_ino == report.ino) {
		write_quietly(report.fd, t);
	}
}

void rd_local_exit(void)
{
	struct timespec until;
	int saved = errno, state;
	bool locked;

	if (!rd_local_reporting || report.pid != getpid())
		return;
	/* a thread that is cancelled while it writes would not end the process any more */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	/* whoever has it may be the very thread whose signal handler ends the process: then without */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	locked = rd_local_lock_until(&until);
	rd_local_reporting = false;
	if (make_text(&report.text, locked))
		tell(&report.text);
	if (locked)
		rd_local_unlock();
	pthread_setcancelstate(state, NULL);
	errno = saved;
}

/* --- beginning --- */

/* The child has its parent's engine, as far as there is one, and what that has done was not its work. */
static void child(void)
{
	for (unsigned int i = 0; i < report.n_kept; i++)
		rd_text_deinit(&report.kept[i].text);
	report.n_kept = 0;
	report.rings = report.most = report.lost = 0;
	memset(report.shapes, 0, sizeof(report.shapes));
	memset(report.refusals, 0, sizeof(report.refusals));
	memset(&report.ended, 0, sizeof(report.ended));
	if (rd_local.running)
		report.before = rd_local.engine.stats;
	report.pid = getpid();
}

static bool read_target(const char *value)
{
	unsigned long long dev, ino;

	if (*value == '/') {
		report.fd = -1;
		return snprintf(report.path, sizeof(report.path), "%s", value) < (int)sizeof(report.path);
	}
	if (sscanf(value, "%d:%llu:%llu", &report.fd, &dev, &ino) != 3 || report.fd < 0)
		return false;
	report.dev = (dev_t)dev;
	report.ino = (ino_t)ino;
	return true;
}

/* Before fork.c's: a child is told of in that order. */
static __attribute__((__constructor__(101))) void begin(void)
{
	const char *value = secure_getenv("RINGD_REPORT");
	void *buf;

	if (!value || !read_target(value))
		return;
	buf = mmap(NULL, TEXT_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (buf == MAP_FAILED || pthread_atfork(NULL, NULL, child))
		return;
	rd_text_init(&report.text, TEXT_MAX);
	report.text.buf = buf;
	report.text.room = TEXT_ROOM;	/* never grows: realloc() is not called */
	report.pid = getpid();
	rd_local_reporting = true;
}

static __attribute__((__destructor__)) void end(void)
{
	rd_local_exit();
}
