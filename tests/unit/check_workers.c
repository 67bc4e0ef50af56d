/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker pool: order per hash, limits, cancel against run, threads that cannot be had, threads that never come back. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/reactor.h"
#include "daemon/engine/exec/workers.h"
#include "daemon/engine/rsrc/charge.h"
#include "suite.h"

#define MANY	100000
#define LANES	16

struct job {
	struct rd_work work;
	unsigned int lane, seq;
	_Atomic int ran;
	int done;
};

static struct rd_reactor *reactor;
static struct rd_workers *pool;
static struct rd_user user;
static unsigned int finished;	/* done() calls, reactor thread */
static _Atomic unsigned int ran, now, peak;
static int gate[2];		/* a job that reads from it waits until a byte comes */

static void setup(void)
{
	memset(&user, 0, sizeof(user));
	user.limit[RINGD_LIMIT_WORKERS] = 64;
	finished = 0;
	ran = now = peak = 0;
	ck_assert_int_eq(pipe(gate), 0);
	ck_assert_int_eq(rd_reactor_new(&reactor, 0), 0);
	ck_assert_int_eq(rd_workers_new(&pool, reactor, &user, 4), 0);
}

static void teardown(void)
{
	ck_assert(rd_workers_free(pool, 100000));
	ck_assert_uint_eq(user.used[RINGD_LIMIT_WORKERS], 0);
	rd_reactor_free(reactor);
	close(gate[0]);
	close(gate[1]);
}

static void turn(void)
{
	if (!rd_reactor_turn(reactor)) {
		rd_reactor_events(reactor);
		sched_yield();
	}
}

#define TURN_UNTIL(cond) do turn(); while (!(cond))

static void on_done(struct rd_work *work)
{
	struct job *job = RD_CONTAINER_OF(work, struct job, work);

	ck_assert_int_eq(job->done, 0);
	ck_assert_int_eq(job->ran, 1);
	ck_assert_int_eq(work->state, RD_WORK_IDLE);
	job->done = 1;
	finished++;
}

static void enter(void)
{
	unsigned int n = ++now, old = peak;

	while (n > old && !atomic_compare_exchange_weak(&peak, &old, n))
		;
}

static void run_short(struct rd_work *work)
{
	struct job *job = RD_CONTAINER_OF(work, struct job, work);

	enter();
	job->ran++;
	ran++;
	now--;
}

/* waits for one byte at the gate */
static void run_gated(struct rd_work *work)
{
	struct job *job = RD_CONTAINER_OF(work, struct job, work);
	char c;

	enter();
	job->ran++;
	ran++;
	while (read(gate[0], &c, 1) < 0 && errno == EINTR)
		;
	now--;
}

static void open_gate(size_t n)
{
	for (; n; n--)
		ck_assert_int_eq(write(gate[1], "", 1), 1);
}

static void queue(struct job *job, void (*run)(struct rd_work *work), uint64_t hash, bool unbounded)
{
	job->ran = job->done = 0;
	job->work = (struct rd_work){ .run = run, .done = on_done, .hash = hash, .unbounded = unbounded };
	rd_workers_queue(pool, &job->work);
}

START_TEST(every_work_runs_and_is_done_once)
{
	struct job *jobs = calloc(MANY, sizeof(*jobs));

	for (unsigned int i = 0; i < MANY; i++) {
		queue(&jobs[i], run_short, i % 3 ? 0 : 1 + i % 1000, i % 5 == 0);
		if (i % 32 == 0)
			turn();
	}
	TURN_UNTIL(finished == MANY);
	ck_assert_uint_eq(ran, MANY);
	ck_assert_uint_le(rd_workers_running(pool), 64);
	free(jobs);
}
END_TEST

static struct {
	_Atomic int busy;
	unsigned int next;	/* only one work of a lane at a time, so no lock: TSan agrees or complains */
} lanes[LANES];

static void run_in_lane(struct rd_work *work)
{
	struct job *job = RD_CONTAINER_OF(work, struct job, work);

	job->ran++;
	ck_assert_int_eq(lanes[job->lane].busy++, 0);
	ck_assert_uint_eq(lanes[job->lane].next++, job->seq);
	if (job->seq % 16 == 0)
		sched_yield();
	lanes[job->lane].busy--;
}

START_TEST(one_hash_runs_one_at_a_time_in_order)
{
	enum { N = 20000 };
	struct job *jobs = calloc(N, sizeof(*jobs));
	unsigned int seq[LANES] = { 0 };

	for (unsigned int i = 0; i < N; i++) {
		jobs[i].lane = i * 7 % LANES;
		jobs[i].seq = seq[jobs[i].lane]++;
		/* hashes of one bucket: some lanes differ in low bits only */
		queue(&jobs[i], run_in_lane, 1 + jobs[i].lane, false);
		if (i % 64 == 0)
			turn();
	}
	TURN_UNTIL(finished == N);
	free(jobs);
}
END_TEST

START_TEST(a_busy_hash_holds_up_nobody_else)
{
	struct job stuck[8], other[8];

	for (unsigned int i = 0; i < 8; i++)
		queue(&stuck[i], run_gated, 77, false);
	TURN_UNTIL(ran == 1);
	for (unsigned int i = 0; i < 100; i++)
		turn();
	ck_assert_uint_eq(rd_workers_running(pool), 1);	/* what waits for the hash needs no thread */
	for (unsigned int i = 0; i < 8; i++)
		queue(&other[i], run_short, i % 2 ? 0 : 100 + i, false);
	TURN_UNTIL(finished == 8);
	ck_assert_uint_eq(ran, 9);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_int_eq(other[i].done, 1);
	open_gate(8);
	TURN_UNTIL(finished == 16);
}
END_TEST

START_TEST(a_hash_is_exclusive_across_classes)
{
	struct job jobs[64];

	memset(lanes, 0, sizeof(lanes));
	for (unsigned int i = 0; i < 64; i++) {
		jobs[i].lane = 0;
		jobs[i].seq = i;
		queue(&jobs[i], run_in_lane, 5, i % 2);
	}
	TURN_UNTIL(finished == 64);
}
END_TEST

START_TEST(bounded_work_stays_in_its_limit)
{
	struct job jobs[12];

	for (unsigned int i = 0; i < 12; i++)
		queue(&jobs[i], run_gated, 0, false);
	TURN_UNTIL(ran == 4);
	ck_assert_uint_eq(rd_workers_running(pool), 4);
	ck_assert_uint_eq(user.used[RINGD_LIMIT_WORKERS], 4);
	open_gate(12);
	TURN_UNTIL(finished == 12);
	ck_assert_uint_eq(peak, 4);
}
END_TEST

START_TEST(unbounded_work_stays_in_the_budget)
{
	struct job jobs[12];

	user.limit[RINGD_LIMIT_WORKERS] = 6;
	for (unsigned int i = 0; i < 12; i++)
		queue(&jobs[i], run_gated, 0, true);
	TURN_UNTIL(ran == 6);
	ck_assert_uint_eq(user.used[RINGD_LIMIT_WORKERS], 6);
	open_gate(12);
	TURN_UNTIL(finished == 12);
	ck_assert_uint_eq(peak, 6);
}
END_TEST

START_TEST(each_class_has_one_thread_whatever_the_budget)
{
	struct job jobs[12];

	user.limit[RINGD_LIMIT_WORKERS] = 0;
	for (unsigned int i = 0; i < 12; i++)
		queue(&jobs[i], run_gated, 0, i % 2);
	TURN_UNTIL(ran == 2);
	ck_assert_uint_eq(rd_workers_running(pool), 2);
	ck_assert_uint_eq(user.used[RINGD_LIMIT_WORKERS], 0);
	open_gate(12);
	TURN_UNTIL(finished == 12);
	ck_assert_uint_eq(peak, 2);
}
END_TEST

START_TEST(a_lowered_limit_holds_once_work_has_ended)
{
	const uint32_t two[2] = { 2, 0 }, four[2] = { 4, 0 }, none[2] = { 0, 0 };
	struct job jobs[12];
	uint32_t old[2];

	for (unsigned int i = 0; i < 12; i++)
		queue(&jobs[i], run_gated, 0, false);
	TURN_UNTIL(ran == 4);
	rd_workers_limit(pool, two, old);
	ck_assert_uint_eq(old[0], 4);
	ck_assert_uint_eq(old[1], 64);	/* the budget */
	open_gate(4);
	TURN_UNTIL(finished == 4 && ran == 6);
	TURN_UNTIL(rd_workers_running(pool) == 2);
	for (unsigned int i = 0; i < 100; i++)
		turn();
	ck_assert_uint_eq(ran, 6);
	rd_workers_limit(pool, four, old);
	TURN_UNTIL(ran == 8);
	rd_workers_limit(pool, none, old);
	ck_assert_uint_eq(old[0], 4);
	open_gate(8);
	TURN_UNTIL(finished == 12);
}
END_TEST

START_TEST(idle_threads_too_many_pass_the_call_on)
{
	const uint32_t one[2] = { 1, 1 };
	struct job jobs[8];
	uint32_t old[2];

	rd_workers_set_idle(pool, 60000);
	for (unsigned int i = 0; i < 4; i++)
		queue(&jobs[i], run_gated, 0, false);
	TURN_UNTIL(ran == 4);
	open_gate(4);
	TURN_UNTIL(finished == 4);
	rd_workers_limit(pool, one, old);
	for (unsigned int i = 4; i < 8; i++)
		queue(&jobs[i], run_short, 0, false);
	TURN_UNTIL(finished == 8);
	TURN_UNTIL(rd_workers_running(pool) == 1);
}
END_TEST

static _Atomic int cpus_seen;

static void run_count_cpus(struct rd_work *work)
{
	cpu_set_t cpus;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	cpus_seen = CPU_COUNT(&cpus);
	run_short(work);
}

START_TEST(threads_go_where_they_are_sent)
{
	cpu_set_t all, one;
	struct job job;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	for (unsigned int round = 0; round < 3; round++) {
		queue(&job, run_count_cpus, 0, round == 1);
		TURN_UNTIL(finished == 2 * round + 1);
		ck_assert_int_eq(cpus_seen, CPU_COUNT(&all));
		rd_workers_pin(pool, &one);
		queue(&job, run_count_cpus, 0, round == 1);
		TURN_UNTIL(finished == 2 * round + 2);
		ck_assert_int_eq(cpus_seen, 1);
		rd_workers_pin(pool, &all);
	}
}
END_TEST

START_TEST(cancelled_before_it_ran_is_never_done)
{
	struct job first, lane[4], plain;

	queue(&first, run_gated, 9, false);
	for (unsigned int i = 0; i < 4; i++)
		queue(&lane[i], run_short, 9, false);
	TURN_UNTIL(ran == 1);
	ck_assert(!rd_workers_cancel(pool, &first.work));
	ck_assert(rd_workers_cancel(pool, &lane[1].work));
	ck_assert(!rd_workers_cancel(pool, &lane[1].work));
	open_gate(1);
	TURN_UNTIL(finished == 4);
	ck_assert_int_eq(lane[1].ran, 0);
	ck_assert_int_eq(lane[1].work.state, RD_WORK_IDLE);
	ck_assert_int_eq(lane[3].done, 1);
	queue(&plain, run_short, 0, false);
	TURN_UNTIL(finished == 5);
	ck_assert(!rd_workers_cancel(pool, &plain.work));
}
END_TEST

START_TEST(cancelling_the_leader_lets_the_lane_go_on)
{
	struct job gated[4], lane[3];

	for (unsigned int i = 0; i < 4; i++)
		queue(&gated[i], run_gated, 0, false);
	TURN_UNTIL(ran == 4);
	for (unsigned int i = 0; i < 3; i++)
		queue(&lane[i], run_short, 3, false);
	ck_assert(rd_workers_cancel(pool, &lane[0].work));
	ck_assert(rd_workers_cancel(pool, &lane[1].work));
	open_gate(4);
	TURN_UNTIL(finished == 5);
	ck_assert_int_eq(lane[2].done, 1);
	ck_assert_int_eq(lane[0].ran + lane[1].ran, 0);
}
END_TEST

START_TEST(cancel_and_run_race_with_one_winner)
{
	enum { N = 20000 };
	struct job *jobs = calloc(N, sizeof(*jobs));
	unsigned int cancelled = 0;

	for (unsigned int i = 0; i < N; i++) {
		queue(&jobs[i], run_short, i % 4 ? 0 : 1 + i % 3, i % 7 == 0);
		if (i >= 8 && i % 2) {
			struct job *victim = &jobs[i - i / 2 % 8];

			if (rd_workers_cancel(pool, &victim->work)) {
				ck_assert_int_eq(victim->ran, 0);
				victim->done = -1;
				cancelled++;
			}
		}
		if (i % 16 == 0)
			turn();
	}
	TURN_UNTIL(finished + cancelled == N);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(jobs[i].ran, jobs[i].done == 1);
	free(jobs);
}
END_TEST

static unsigned int rounds;

static void again(struct rd_work *work)
{
	RD_CONTAINER_OF(work, struct job, work)->done = 0;
	RD_CONTAINER_OF(work, struct job, work)->ran = 0;
	finished++;
	if (finished < rounds)
		rd_workers_queue(pool, work);
}

START_TEST(work_may_be_queued_again_from_done)
{
	struct job job = { .work = { .run = run_short, .done = again, .hash = 1 } };

	rounds = 2000;
	rd_workers_queue(pool, &job.work);
	TURN_UNTIL(finished == rounds);
	/* A second one may be started for work that is queued before the first has come back; no more than that. */
	ck_assert_uint_le(rd_workers_running(pool), 2);
}
END_TEST

START_TEST(idle_threads_go_and_new_ones_come)
{
	struct job jobs[4];

	rd_workers_set_idle(pool, 1);
	for (unsigned int round = 1; round <= 3; round++) {
		for (unsigned int i = 0; i < 4; i++)
			queue(&jobs[i], run_gated, 0, i % 2);
		TURN_UNTIL(ran == 4 * round);
		open_gate(4);
		TURN_UNTIL(finished == 4 * round);
		TURN_UNTIL(rd_workers_running(pool) == 0);
		ck_assert_uint_eq(user.used[RINGD_LIMIT_WORKERS], 0);
	}
}
END_TEST

static void run_look_at_thread(struct rd_work *work)
{
	sigset_t set;
	char name[16];

	RD_CONTAINER_OF(work, struct job, work)->ran++;
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	ck_assert(sigismember(&set, SIGTERM) && sigismember(&set, SIGXFSZ) && sigismember(&set, SIGPIPE));
	ck_assert_int_eq(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
	ck_assert_str_eq(name, "ringd-wrk");
}

START_TEST(workers_have_a_name_and_take_no_signals)
{
	struct job job;
	sigset_t set;

	queue(&job, run_look_at_thread, 0, false);
	TURN_UNTIL(finished == 1);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	ck_assert(!sigismember(&set, SIGTERM));	/* ours is as it was */
}
END_TEST

/* --- interrupting --- */

static _Atomic bool go;

/* waits for go without sleeping, then for a byte at the gate until a signal comes; seq: what it ended with */
static void run_sleeping(struct rd_work *work)
{
	struct job *job = RD_CONTAINER_OF(work, struct job, work);
	char c;

	job->ran++;
	ran++;
	while (!go)
		sched_yield();
	job->seq = read(gate[0], &c, 1) < 0 ? (unsigned int)errno : 0;
}

START_TEST(interrupted_work_comes_back)
{
	struct job jobs[3], other;

	go = true;
	for (unsigned int i = 0; i < 3; i++)
		queue(&jobs[i], run_sleeping, 0, i & 1);
	queue(&other, run_gated, 0, true);
	TURN_UNTIL(ran == 4);
	for (unsigned int i = 0; i < 3; i++)
		rd_workers_interrupt(pool, &jobs[i].work);
	TURN_UNTIL(finished == 3);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(jobs[i].seq, EINTR);
	ck_assert_int_eq(other.done, 0);
	open_gate(1);
	TURN_UNTIL(finished == 4);
}
END_TEST

START_TEST(a_signal_before_the_system_call_is_followed_by_another)
{
	struct job job;
	uint64_t end;

	go = false;
	queue(&job, run_sleeping, 0, false);
	TURN_UNTIL(ran == 1);
	rd_workers_interrupt(pool, &job.work);
	/* the first ones come while it does not sleep; should none come in this time, the test is only easier */
	for (end = rd_now_ns() + 5000000; rd_now_ns() < end;)
		turn();
	go = true;
	TURN_UNTIL(finished == 1);
	ck_assert_uint_eq(job.seq, EINTR);
}
END_TEST

START_TEST(work_after_interrupted_work_is_not_interrupted)
{
	struct job job, next;

	go = true;
	for (unsigned int i = 1; i <= 200; i++) {
		queue(&job, run_sleeping, 1, false);
		TURN_UNTIL(job.ran == 1);
		queue(&next, run_sleeping, 1, false);
		rd_workers_interrupt(pool, &next.work);		/* does not run: nothing */
		rd_workers_interrupt(pool, &job.work);
		TURN_UNTIL(job.done);
		ck_assert_uint_eq(job.seq, EINTR);
		open_gate(1);
		TURN_UNTIL(next.done);
		ck_assert_uint_eq(next.seq, 0);
	}
}
END_TEST

/* --- the end of a pool: tests that free it themselves --- */


static void teardown_end(void)
{
	rd_reactor_free(reactor);
}

START_TEST(free_waits_for_running_work)
{
	struct job jobs[10];
	unsigned int n = 0;

	for (unsigned int i = 0; i < 10; i++)
		queue(&jobs[i], run_gated, i % 2, false);
	TURN_UNTIL(ran == 4);
	open_gate(10);
	ck_assert(rd_workers_free(pool, 100000));
	ck_assert_uint_eq(user.used[RINGD_LIMIT_WORKERS], 0);
	rd_reactor_turn(reactor);
	for (unsigned int i = 0; i < 10; i++)
		n += (unsigned int)jobs[i].done;
	/* those that were queued behind them, too */
	ck_assert_uint_eq(n, 10);
}
END_TEST

START_TEST(free_of_a_pool_never_used)
{
	ck_assert_uint_eq(rd_workers_running(pool), 0);
	ck_assert(rd_workers_free(pool, 0));
	ck_assert(rd_workers_free(NULL, 0));
}
END_TEST

static _Atomic int back;

static void run_stuck(struct rd_work *work)
{
	run_gated(work);
	back++;
}

START_TEST(stuck_threads_are_left_behind)
{
	struct job *stuck = calloc(2, sizeof(*stuck)), quick, behind;

	queue(&stuck[0], run_stuck, 4, false);
	queue(&stuck[1], run_stuck, 0, true);
	queue(&quick, run_short, 0, false);
	TURN_UNTIL(ran == 3 && finished == 1);
	queue(&behind, run_short, 4, false);
	ck_assert(!rd_workers_free(pool, 1));
	ck_assert_uint_eq(user.used[RINGD_LIMIT_WORKERS], 0);
	/* they come back after all, and find neither pool nor reactor */
	rd_reactor_free(reactor);
	open_gate(2);
	while (back < 2)
		sched_yield();
	ck_assert_int_eq(rd_reactor_new(&reactor, 0), 0);
	ck_assert_int_eq(stuck[0].done + stuck[1].done + behind.done, 0);
	ck_assert_int_eq(behind.ran, 0);
	free(stuck);
}
END_TEST

START_TEST(free_races_with_work_that_ends)
{
	struct job *jobs = calloc(64, sizeof(*jobs));

	for (unsigned int i = 0; i < 64; i++)
		queue(&jobs[i], run_short, i % 4, i % 2);
	ck_assert(rd_workers_free(pool, 100000));
	rd_reactor_turn(reactor);
	for (unsigned int i = 0; i < 64; i++)
		ck_assert_int_eq(jobs[i].ran + jobs[i].done, 2);
	free(jobs);
}
END_TEST

/* --- the system gives us no thread --- */

static void limit_threads(rlim_t n)
{
	struct rlimit rl = { .rlim_cur = n, .rlim_max = RLIM_INFINITY };

	getrlimit(RLIMIT_NPROC, &rl);
	rl.rlim_cur = n == RLIM_INFINITY ? rl.rlim_max : n;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &rl), 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static bool threads_can_be_had(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL))
		return false;
	pthread_join(t, NULL);
	return true;
}

START_TEST(work_waits_until_a_thread_can_be_had)
{
	struct job jobs[8];

	if (geteuid() == 0)
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);	/* the limit does not count for root */
	limit_threads(0);
	if (threads_can_be_had())
		return;		/* some capability keeps us above the limit: nothing to see here */
	for (unsigned int i = 0; i < 8; i++)
		queue(&jobs[i], run_gated, i == 3, i % 2);
	for (unsigned int i = 0; i < 100; i++)
		turn();
	ck_assert_uint_eq(rd_workers_running(pool), 0);
	ck_assert_uint_eq(user.used[RINGD_LIMIT_WORKERS], 0);
	ck_assert(rd_workers_cancel(pool, &jobs[7].work));
	limit_threads(RLIM_INFINITY);
	TURN_UNTIL(ran == 7);
	open_gate(7);
	TURN_UNTIL(finished == 7);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("workers");
	TCase *tc = tcase_create("pool"), *end = tcase_create("end");

	tcase_set_timeout(tc, 600);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_work_runs_and_is_done_once);
	tcase_add_test(tc, one_hash_runs_one_at_a_time_in_order);
	tcase_add_test(tc, a_busy_hash_holds_up_nobody_else);
	tcase_add_test(tc, a_hash_is_exclusive_across_classes);
	tcase_add_test(tc, bounded_work_stays_in_its_limit);
	tcase_add_test(tc, unbounded_work_stays_in_the_budget);
	tcase_add_test(tc, each_class_has_one_thread_whatever_the_budget);
	tcase_add_test(tc, a_lowered_limit_holds_once_work_has_ended);
	tcase_add_test(tc, idle_threads_too_many_pass_the_call_on);
	tcase_add_test(tc, threads_go_where_they_are_sent);
	tcase_add_test(tc, cancelled_before_it_ran_is_never_done);
	tcase_add_test(tc, cancelling_the_leader_lets_the_lane_go_on);
	tcase_add_test(tc, cancel_and_run_race_with_one_winner);
	tcase_add_test(tc, work_may_be_queued_again_from_done);
	tcase_add_test(tc, idle_threads_go_and_new_ones_come);
	tcase_add_test(tc, workers_have_a_name_and_take_no_signals);
	tcase_add_test(tc, interrupted_work_comes_back);
	tcase_add_test(tc, a_signal_before_the_system_call_is_followed_by_another);
	tcase_add_test(tc, work_after_interrupted_work_is_not_interrupted);
	tcase_add_test(tc, work_waits_until_a_thread_can_be_had);
	suite_add_tcase(s, tc);
	tcase_set_timeout(end, 600);
	tcase_add_checked_fixture(end, setup, teardown_end);
	tcase_add_test(end, free_waits_for_running_work);
	tcase_add_test(end, free_of_a_pool_never_used);
	tcase_add_test(end, stuck_threads_are_left_behind);
	tcase_add_test(end, free_races_with_work_that_ends);
	suite_add_tcase(s, end);
	return rd_suite_main(s);
}
