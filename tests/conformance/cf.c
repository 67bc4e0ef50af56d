/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conformance tests' main(): runs what is registered on each back end of the target and reports it as TAP. */
#include "cf.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>

#include "daemon/common/util.h"

#define MAX_TESTS	512
#define TIMEOUT_S	300
#define LONG_TIMEOUT_S	7200	/* where the environment asks for more rounds */

enum outcome { NOT_RUN, STARTED, PASSED, SKIPPED };

/* Written by the test's process, read by its parent */
struct report {
	enum outcome outcome;
	char reason[160];
};

static struct cf_test *tests, **tests_end = &tests;
static struct cf_difference *differences;
static struct cf_test *chosen[MAX_TESTS];
static int n_chosen;
static struct report *reports;
static const struct cf_back_end *back_end;
static jmp_buf skip_jump;
static int running;		/* index of the test in this process */
static pthread_t main_thread;	/* of the test; only it may skip */
static char top_dir[64];
static char dir[128];		/* of this test, once made */
static char *memory;		/* what cf_alloc() divides */
static size_t memory_used;
static struct cf_ring *rings;

#define MEMORY (16u << 20)

/* --- registry --- */

void cf_add_test(struct cf_test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

void cf_add_difference(struct cf_difference *d)
{
	d->next = differences;
	differences = d;
}

unsigned int cf_target(void)
{
	return back_end->target;
}

static const char *difference(const struct cf_test *t)
{
	for (const struct cf_difference *d = differences; d; d = d->next) {
		if (!strcmp(d->name, t->name) && (d->targets & back_end->target))
			return d->reason;
	}
	return NULL;
}

/* Is number among those of t? */
static bool has_number(const struct cf_test *t, const char *number)
{
	size_t n = strlen(number);

	for (const char *p = t->numbers; (p = strstr(p, number)); p += n) {
		if ((p == t->numbers || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	}
	return false;
}

static void choose(void)
{
	const char *only = getenv("CF_RUN");

	for (struct cf_test *t = tests; t; t = t->next) {
		if (only && *only && !has_number(t, only) && !strstr(t->name, only))
			continue;
		if (n_chosen == MAX_TESTS)
			abort();
		chosen[n_chosen++] = t;
	}
}

/* --- one test --- */

void cf_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reports[running].reason, sizeof(reports[running].reason), fmt, ap);
	va_end(ap);
	reports[running].outcome = SKIPPED;
	longjmp(skip_jump, 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void run_test(int i)
{
	running = i;
	reports[i].outcome = STARTED;
	main_thread = pthread_self();
	memory = NULL;
	memory_used = 0;
	rings = NULL;
	dir[0] = 0;
	cf_begin(back_end);
	if (!setjmp(skip_jump))
		chosen[i]->fn();
	while (rings)
		cf_ring_free(rings);
	cf_end();
	if (dir[0])
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (reports[i].outcome == STARTED)
		reports[i].outcome = PASSED;
}

void cf_forked(void)
{
	rings = NULL;
	memory = NULL;
	memory_used = 0;
	cf_impl_forked();
}

START_TEST(one)
{
	run_test(_i);
}
END_TEST

static void start(void)
{
	strcpy(top_dir, "/tmp/ringd-conf-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top_dir));
	ck_assert_int_eq(chmod(top_dir, 0755), 0);
	cf_start(back_end);
}

static void stop(void)
{
	nftw(top_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	cf_stop(back_end);
}

/* --- rings --- */

int cf_ring_try(struct cf_ring **ret, unsigned int entries, struct ringd_params *p)
{
	struct cf_ring *ring = calloc(1, sizeof(*ring));
	int r;

	ck_assert_ptr_nonnull(ring);
	r = cf_impl_new(ring, entries, p);
	if (r < 0) {
		free(ring);
		return r;
	}
	ring->next = rings;
	rings = ring;
	*ret = ring;
	return 0;
}

int cf_setup(unsigned int entries, struct ringd_params p)
{
	struct cf_ring *ring;
	int r = cf_ring_try(&ring, entries, &p);

	if (r == 0)
		cf_ring_free(ring);
	return r;
}

struct cf_ring *cf_ring_new_params(unsigned int entries, struct ringd_params p)
{
	struct cf_ring *ring = NULL;
	int r = cf_ring_try(&ring, entries, &p);

	ck_assert_msg(r == 0, "no ring of %u entries with flags %#x: %s", entries, p.flags, strerror(-r));
	return ring;
}

struct cf_ring *cf_ring_new(unsigned int entries, unsigned int flags)
{
	return cf_ring_new_params(entries, (struct ringd_params){ .flags = flags });
}

void cf_ring_free(struct cf_ring *ring)
{
	for (struct cf_ring **p = &rings; *p; p = &(*p)->next) {
		if (*p == ring) {
			*p = ring->next;
			break;
		}
	}
	cf_impl_free(ring);
	free(ring);
}

void cf_need_setup(unsigned int flags)
{
	int r;

	if (cf_on(CF_RINGD))
		return;
	r = cf_setup(8, (struct ringd_params){ .flags = flags });
	if (r == -EINVAL)
		cf_skip("this kernel does not know setup flags %#x", flags);
	ck_assert_int_eq(r, 0);
}

/* What the target's probe says, asked once per test */
static bool knows_op(unsigned int op)
{
	static struct {
		struct ringd_probe p;
		struct ringd_probe_op ops[RINGD_MAX_PROBE_OPS];
	} probe;
	struct cf_ring *ring;

	if (!probe.p.last_op) {
		ring = cf_ring_new(1, 0);
		ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PROBE, &probe, RINGD_MAX_PROBE_OPS), 0);
		cf_ring_free(ring);
	}
	return op <= probe.p.last_op && (probe.ops[op].flags & RINGD_OP_SUPPORTED);
}

void cf_need_op(unsigned int op)
{
	if (!knows_op(op))
		cf_skip("opcode %u is not known here", op);
}

void cf_need_register(struct cf_ring *ring, unsigned int opcode, const void *arg, unsigned int nr)
{
	if (cf_register(ring, opcode, arg, nr) == -EINVAL)
		cf_skip("register opcode %u is not known here", opcode);
}

void cf_need_feature(unsigned int features)
{
	struct cf_ring *ring;
	unsigned int have;

	if (cf_on(CF_RINGD))
		return;
	ring = cf_ring_new(1, 0);
	have = ring->p.features;
	cf_ring_free(ring);
	if ((have & features) != features)
		cf_skip("this kernel does not have features %#x", features & ~have);
}

struct ringd_sqe *cf_sqe(struct cf_ring *ring, unsigned int op)
{
	if (op != RINGD_OP_NOP && op < RINGD_OP_LAST && pthread_equal(pthread_self(), main_thread))
		cf_need_op(op);
	return cf_impl_sqe(ring, op);
}

struct ringd_sqe *cf_sqe_ud(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe(ring, op);

	sqe->user_data = user_data;
	sqe->flags = (uint8_t)flags;
	return sqe;
}

int cf_submit(struct cf_ring *ring)
{
	return cf_enter(ring, cf_sq_pending(ring), 0, 0, NULL, 0);
}

int cf_submit_and_wait(struct cf_ring *ring, unsigned int nr)
{
	return cf_enter(ring, cf_sq_pending(ring), nr, RINGD_ENTER_GETEVENTS, NULL, 0);
}

void cf_wait_cqe(struct cf_ring *ring, struct cf_cqe *cqe)
{
	ck_assert_msg(cf_wait_cqe_for(ring, cqe, CF_PATIENCE_MS), "no CQE in %u ms", CF_PATIENCE_MS);
}

void cf_files(struct cf_ring *ring, unsigned int nr)
{
	struct ringd_rsrc_register reg = { .nr = nr, .flags = RINGD_RSRC_REGISTER_SPARSE };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, sizeof(reg)), 0);
}

void cf_file(struct cf_ring *ring, unsigned int slot, int fd)
{
	struct ringd_files_update up = { .offset = slot, .fds = cf_addr(&fd) };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES_UPDATE, &up, 1), 1);
}

/* --- what should come --- */

#define FAIL_AT(file, line, ...) _ck_assert_failed(file, line, "Conformance", __VA_ARGS__)

void cf_expect_at(const char *file, int line, struct cf_ring *ring, uint64_t user_data, int32_t res, uint32_t flags)
{
	struct cf_cqe c = { 0 };

	if (!cf_wait_cqe_for(ring, &c, CF_PATIENCE_MS))
		FAIL_AT(file, line, "no CQE; {%llu, %d, %#x} should come", (unsigned long long)user_data, res, flags);
	if (c.user_data != user_data || c.res != res || c.flags != flags)
		FAIL_AT(file, line, "CQE {%llu, %d, %#x} instead of {%llu, %d, %#x}", (unsigned long long)c.user_data, c.res,
			c.flags, (unsigned long long)user_data, res, flags);
}

void cf_expect_set_at(const char *file, int line, struct cf_ring *ring, const struct cf_want *want, size_t n)
{
	uint64_t open = n < 64 ? (1ull << n) - 1 : ~0ull;
	struct cf_cqe c = { 0 };
	size_t i;

	while (open) {
		if (!cf_wait_cqe_for(ring, &c, CF_PATIENCE_MS))
			FAIL_AT(file, line, "no CQE; still missing: set %#llx", (unsigned long long)open);
		for (i = 0; i < n; i++) {
			if ((open & (1ull << i)) && c.user_data == want[i].user_data && c.res == want[i].res &&
			    c.flags == want[i].flags)
				break;
		}
		if (i == n)
			FAIL_AT(file, line, "CQE {%llu, %d, %#x} should not have come", (unsigned long long)c.user_data, c.res,
				c.flags);
		open &= ~(1ull << i);
	}
}

void cf_expect_none_at(const char *file, int line, struct cf_ring *ring)
{
	const uint64_t mark = 0xfeedfacecafebeefull;

	cf_sqe(ring, RINGD_OP_NOP)->user_data = mark;
	if (cf_submit(ring) < 1)
		FAIL_AT(file, line, "a NOP could not be submitted");
	cf_expect_at(file, line, ring, mark, 0, 0);
}

int32_t cf_run_at(const char *file, int line, struct cf_ring *ring)
{
	unsigned int n = cf_sq_pending(ring);
	struct cf_cqe c = { 0 };
	int r = cf_submit(ring);

	if (r != (int)n)
		FAIL_AT(file, line, "submit returned %d instead of %u", r, n);
	if (!cf_wait_cqe_for(ring, &c, CF_PATIENCE_MS))
		FAIL_AT(file, line, "no CQE");
	return c.res;
}

/* --- memory and files --- */

void *cf_alloc(size_t size, size_t align)
{
	void *p;

	if (!memory)
		memory = cf_region(MEMORY);
	if (!align)
		align = 64;
	memory_used = (memory_used + align - 1) & ~(align - 1);
	ck_assert_uint_le(memory_used + size, MEMORY);
	p = memory + memory_used;
	memory_used += size;
	return p;
}

void *cf_in(const void *data, size_t size)
{
	return memcpy(cf_alloc(size, 0), data, size);
}

char *cf_path(const char *name)
{
	char path[512];

	if (!dir[0]) {
		snprintf(dir, sizeof(dir), "%s/%d", top_dir, running);
		ck_assert_int_eq(mkdir(dir, 0777), 0);
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return cf_in(path, strlen(path) + 1);
}

int cf_make_file(const char *name, size_t size, int flags)
{
	const char *path = cf_path(name);
	unsigned char buf[251 * 16];
	RD_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)(i % 251);
	ck_assert_int_ge(fd, 0);
	for (size_t done = 0; done < size; done += sizeof(buf)) {
		size_t n = RD_MIN(size - done, sizeof(buf));

		ck_assert_int_eq(write(fd, buf, n), n);
	}
	rd_close(rd_steal_fd(&fd));
	fd = open(path, flags | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return rd_steal_fd(&fd);
}

void cf_pipe(int fd[2])
{
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
}

struct ringd_sqe *cf_prep_rw(struct cf_ring *ring, unsigned int op, int fd, const void *buf, unsigned int len, uint64_t off)
{
	struct ringd_sqe *sqe = cf_sqe(ring, op);

	cf_sqe_fd(ring, sqe, fd);
	sqe->addr = cf_addr(buf);
	sqe->len = len;
	sqe->off = off;
	return sqe;
}

struct ringd_timespec *cf_ts(uint64_t ns)
{
	struct ringd_timespec ts = { .tv_sec = (int64_t)(ns / 1000000000u), .tv_nsec = (int64_t)(ns % 1000000000u) };

	return cf_in(&ts, sizeof(ts));
}

/* --- running and reporting --- */

static void print_result(int nr, const struct cf_test *t, const char *result, const char *words)
{
	const char *slash = strrchr(t->file, '/');
	FILE *f;

	if (getenv("CF_RESULTS")) {
		f = fopen(getenv("CF_RESULTS"), "ae");
		if (f) {
			fprintf(f, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", slash ? slash + 1 : t->file, t->numbers, t->name,
				back_end->name, result, words, t->text);
			fclose(f);
		}
	}
	printf("%s %d - %s: %s [%s]%s%s\n", strcmp(result, "fail") ? "ok" : "not ok", nr, back_end->name, t->name, t->numbers,
	       !strcmp(result, "skip") ? " # SKIP " : *words ? ": " : "", words);
}

/* A message of Check's on one line */
static const char *one_line(const char *s, char *buf, size_t size)
{
	snprintf(buf, size, "%s", s ? s : "");
	for (char *p = buf; *p; p++) {
		if (*p == '\n' || *p == '\t' || *p == '#')
			*p = ' ';
	}
	return buf;
}

/* results: one per test, in order, and those of fixtures that failed. Failures. */
static int report(SRunner *sr, int first)
{
	TestResult **results = srunner_results(sr);
	int n = srunner_ntests_run(sr), failed = 0;
	char buf[512], words[600];

	for (int i = 0; i < n_chosen; i++) {
		struct report *rep = &reports[i];
		const char *differs = difference(chosen[i]);

		if (i < n && rep->outcome == SKIPPED) {
			print_result(first + i, chosen[i], "skip", rep->reason);
		} else if (i < n && rep->outcome == PASSED && tr_rtype(results[i]) == CK_PASS) {
			print_result(first + i, chosen[i], differs ? "differs" : "pass", differs ? differs : "");
		} else {
			failed++;
			snprintf(words, sizeof(words), "%s:%d: %s", i < n ? tr_lfile(results[i]) : "?",
				 i < n ? tr_lno(results[i]) : 0, one_line(i < n ? tr_msg(results[i]) : "not run", buf, sizeof(buf)));
			print_result(first + i, chosen[i], "fail", words);
		}
	}
	for (int i = n_chosen; i < n; i++) {
		failed++;
		printf("# %s: %s\n", back_end->name, one_line(tr_msg(results[i]), buf, sizeof(buf)));
	}
	free(results);
	return failed;
}

static void skip_back_end(int first, const char *why)
{
	for (int i = 0; i < n_chosen; i++)
		print_result(first + i, chosen[i], "skip", why);
}

static int run_back_end(int first)
{
	const char *missing = cf_missing_back_end(back_end);
	SRunner *sr;
	TCase *tc;
	Suite *s;
	int failed;

	if (missing) {
		skip_back_end(first, missing);
		return 0;
	}
	s = suite_create("conformance");
	tc = tcase_create(back_end->name);
	memset(reports, 0, MAX_TESTS * sizeof(*reports));
	tcase_set_timeout(tc, getenv("CF_OPERATIONS") || getenv("CF_ROUNDS") ? LONG_TIMEOUT_S : TIMEOUT_S);
	tcase_add_unchecked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, one, 0, n_chosen);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_SILENT);
	failed = report(sr, first);
	srunner_free(sr);
	return failed;
}

/* What doc/CONFORMANCE.md must have a row of */
static int list(void)
{
	for (const struct cf_test *t = tests; t; t = t->next) {
		if (strcmp(t->numbers, "0"))
			printf("%s\t%s\n", t->numbers, t->text);
	}
	return 0;
}

int main(void)
{
	const char *missing, *only = getenv("CF_BACKEND");
	int failed = 0, n = 0;

	if (getenv("CF_LIST"))
		return list();
	missing = cf_missing();
	if (missing) {
		printf("1..0 # SKIP %s\n", missing);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	choose();
	if (!n_chosen) {
		printf("1..0 # SKIP no test chosen\n");
		return 0;
	}
	reports = mmap(NULL, MAX_TESTS * sizeof(*reports), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reports == MAP_FAILED)
		abort();
	for (const struct cf_back_end *b = cf_back_ends; b->name; b++) {
		if (only && *only && strcmp(only, b->name))
			continue;
		back_end = b;
		failed += run_back_end(n * n_chosen + 1);
		n++;
	}
	printf("1..%d\n", n * n_chosen);
	munmap(reports, MAX_TESTS * sizeof(*reports));
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
