/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/common/log.h"
#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "loop.h"
#include "process.h"
#include "report.h"

#define RD_GRACE_MS	1000	/* for workers at the end of the last ring */

struct rd_local rd_local = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.all = RD_LIST_INIT(rd_local.all),
	.touched = RD_LIST_INIT(rd_local.touched),
	.waiters = RD_LIST_INIT(rd_local.waiters),
	.dormant = RD_LIST_INIT(rd_local.dormant),
	.shares = RD_LIST_INIT(rd_local.shares),
	.background = { .epfd = -1, .ctl = -1 },
	.generation = 1,
};
_Atomic unsigned int rd_local_rings;
_Atomic bool rd_local_unseen;

/* Starting and ending; taken before the lock, and held while the background thread is waited for. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;

/* What the loader says, for the next engine. Its locks may be had by a thread that waits for ours: it is never asked with that. */
static _Atomic bool bound, behind_trap;

/* Our own descriptors get numbers that no program has a use for: as high as they may be, but where tables stay small. */
static int private_from(void)
{
	struct rlimit lim;
	rlim_t top = 1024;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < 65536)
		top = lim.rlim_cur;
	else
		top = 65536;
	return top > 256 ? (int)(top - top / 4) : (int)(top / 2);
}

/*
 * RINGD_BACKEND=uring: files are read and written by a ring of the kernel's own. Not behind the trap, to which that ring's
 * calls would come.
 */
static bool wants_uring(void)
{
	const char *name = secure_getenv("RINGD_BACKEND");

	return name && strcmp(name, "uring") == 0 && !behind_trap;
}

/* Nothing is limited here but what the kernel limits. */
static void config_init(struct rd_engine_config *cfg)
{
	rd_engine_config_default(cfg);
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++)
		cfg->limits[i] = UINT32_MAX;
	cfg->limits[RINGD_LIMIT_BYTES] = UINT64_MAX / 2;
	cfg->limits[RINGD_LIMIT_WORKERS] = 512;
	cfg->backend = wants_uring() ? RD_BACKEND_URING : RD_BACKEND_SYNC;
	cfg->spin_us = 0;
	cfg->sq_idle_max_ms = UINT32_MAX / 2;
}

/*
 * Does the program's own call of poll() come to us? What is dlopen()ed too deep is not seen. By the program's own handle: a library
 * that was loaded with RTLD_DEEPBIND finds its own functions first, and nobody else does.
 */
static bool is_bound(void)
{
	void *program = dlopen(NULL, RTLD_LAZY | RTLD_NOLOAD);
	const void *ours = NULL, *seen = NULL;

	if (!program)
		return false;
	ours = dlsym(program, "rd_local_interposed");
	seen = dlsym(program, "poll");
	(void)dlclose(program);
	return ours && seen && seen == *(const void *const *)ours;
}

static bool is_trapped(void)
{
	const void *call = dlsym(RTLD_DEFAULT, "syscall");
	Dl_info info;

	return call && dladdr(call, &info) && strstr(info.dli_fname, "libringd-trap");
}

void rd_local_look_around(void)
{
	if (atomic_load_explicit(&rd_local_rings, memory_order_relaxed))
		return;
	bound = is_bound();
	behind_trap = is_trapped();
}

int rd_local_start(void)
{
	struct rd_engine_config cfg;
	int r;

	if (rd_local.running)
		return 0;
	rd_local.pid = getpid();	/* of a child that no handler has told of */
	rd_log_set_level(-1);
	rd_private_fd_min = private_from();
	config_init(&cfg);
	r = rd_engine_init(&rd_local.engine, &cfg);
	if (r < 0 && cfg.backend == RD_BACKEND_URING) {
		cfg.backend = RD_BACKEND_SYNC;	/* the kernel gives us none */
		r = rd_engine_init(&rd_local.engine, &cfg);
	}
	if (r < 0)
		return r;
	rd_local_host_init(&rd_local.host, &rd_local.engine);
	rd_local_report_engine(&rd_local.engine, true);
	rd_local.bound = bound;
	rd_local.alone = false;
	rd_local.host.hears = rd_local.bound;
	atomic_store_explicit(&rd_local_unseen, !rd_local.bound, memory_order_relaxed);
	rd_local.running = true;
	return 0;
}

void rd_local_life_lock(void)
{
	pthread_mutex_lock(&life);
}

bool rd_local_life_lock_until(const struct timespec *end)
{
	return pthread_mutex_timedlock(&life, end) == 0;
}

void rd_local_life_again(void)
{
	pthread_mutex_init(&life, NULL);
}

void rd_local_life_unlock(void)
{
	pthread_mutex_unlock(&life);
}

/* With the lock. The list of pages is that of what is in the loop. */
static void engine_end(void)
{
	rd_local_report_engine(&rd_local.engine, false);
	rd_engine_deinit(&rd_local.engine, RD_GRACE_MS);
	rd_local.running = false;
	rd_local_share_unlock();
	rd_local_share_forget();
}

void rd_local_settle_down(void)
{
	struct rd_local_thread *t = rd_local_thread();
	int state;
	bool over;

	/* a handler that has interrupted this must not wait for its own thread; what it leaves is the next one's */
	if (atomic_load(&rd_local_rings) || t->settling)
		return;
	t->settling = true;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	rd_local_life_lock();
	rd_local_lock();
	over = rd_local.running && rd_list_empty(&rd_local.all);
	rd_local_unlock();
	if (over)
		rd_local_driver_stop();
	rd_local_lock();
	if (rd_local.running && rd_list_empty(&rd_local.all) && !rd_local.background.started)
		engine_end();
	rd_local_unlock();
	rd_local_life_unlock();
	pthread_setcancelstate(state, NULL);
	t->settling = false;
}
