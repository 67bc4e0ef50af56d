/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-process host: one engine for all rings of the process, made with the first and gone with the last, and one lock, which
 * is held by whoever drives it. Unless said otherwise a function is called with the lock held.
 *
 *   thread.c    the lock, and what belongs to a thread
 *   setup.c     rings come and go            enter.c    submit and wait         ringfd.c   the descriptor and its numbers
 *   driver.c    who drives, who sleeps where wait.c     waiting for CQEs        background.c  the thread of our own
 *   process.c   the engine                   slots.c    registered ring descriptors
 *   fork.c share.c  children, and rings that two processes have
 *   host.c files.c memory.c  what the engine asks of us                          register.c io_uring_register
 */
#ifndef RD_LOCAL_PROCESS_H
#define RD_LOCAL_PROCESS_H

#include <poll.h>
#include <pthread.h>
#include <sys/types.h>
#include <time.h>

#include "daemon/common/list.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/exec/reactor.h"
#include "daemon/engine/ring/layout.h"
#include "daemon/engine/ring/ring.h"
#include "host.h"
#include "local.h"
#include "share.h"

struct rd_local_ring {
	struct rd_link link;		/* rd_local.all, until the last request is back */
	struct rd_link touched;		/* rd_local.touched: something was published */
	struct rd_ring *ring;		/* valid until ring_gone() */
	uint32_t refs;			/* descriptor numbers and registered slots that mean it; 0: it is dying */
	uint32_t id;			/* never given again in this process; marks its descriptor, see ringfd.c */
	int epfd;			/* the number it was made with, -1 without one (REGISTERED_FD_ONLY) */
	int efd;			/* in epfd: readable when the ring is */
	int room_fd;			/* can be written to while the SQ is not full; -1: nobody waits for that in an epoll set */
	bool room_gone;			/* it cannot */
	bool readable;			/* efd is */
	bool seen_tasks;		/* of a lazy ring, and seen_tail: what efd was written for */
	uint32_t seen_tail;
	bool watched;			/* somebody has looked or waits; see rd_local_poll_sync() */
	uint32_t waiting;		/* lazy ring: how many are inside an enter that waits */
	bool exposed;			/* our loop is in its descriptor: rd_local.alone */
	uint32_t wait_seq;		/* of the wait word that is armed, so that each publication is told */
	struct rd_layout layout;
	struct ringd_params params;	/* as setup wrote them back */
	struct rd_ring_memory mem;
	bool user_mem;			/* NO_MMAP: the program has brought it */
	bool mem_ours;			/* mem is mapped by us; else by the program, which may unmap it */
	int memfd;			/* what mem is of, -1: of no file of ours */
	pid_t issuer;			/* SINGLE_ISSUER: the thread, 0: nobody yet */
	clockid_t clock;		/* of waits: REGISTER_CLOCK */
	struct rd_local_share *share;	/* NULL: it has never been in two processes */
	uint32_t share_slot;
	int held[2];			/* a pipe: its writing end is in each process that has a number of the ring */
	struct rd_source alone;		/* held[0], once our numbers are gone: the others' are, too */
	bool lingers;			/* for the sake of the others, until its requests are done */
	bool unheard;			/* may be closed by a system call that nobody tells of */
	bool dormant;			/* it came with a fork(), and this process has not used it yet: ring is the parent's */
	bool remote;			/* its SQ is polled by another process */
	void *regs;			/* register.c's own: wait region, memory of buffer rings... */
};

/* A thread that waits in rd_local_enter(). */
struct rd_local_waiter {
	struct rd_link link;		/* rd_local.waiters */
	struct rd_local_ring *lr;	/* NULL: it has gone */
	struct rd_local_ring *held;	/* the caller's reference, ours should it never come back; NULL: the record is free */
	const void *frame;		/* of who waits */
	uint32_t target;		/* CQ tail */
	uint32_t timeouts;		/* CQEs of timeouts when it began: one more ends it, too */
	int efd;			/* wakes it when it does not drive; -1: it has none yet */
	uint32_t turns;			/* it made that brought something */
	struct pollfd sleep;		/* what it sleeps on */
};

#define RD_LOCAL_NESTED	4	/* waits of a thread inside each other, each in a signal handler that interrupted the last */

struct rd_local_thread {
	bool settling;			/* ends the engine */
	bool forks_inside;		/* in a handler that has interrupted it in here */
	bool forks_blind;		/* without our locks */
	bool inside;			/* has the lock, or is about to take it or to give it back */
	uint8_t waiting;		/* waiters that are used */
	int cancel_state;		/* the program's, while inside */
	pid_t tid;
	uint32_t generation;		/* rd_local's, for which tid is true */
	struct rd_local_waiter waiters[RD_LOCAL_NESTED];
};

struct rd_local {
	pthread_mutex_t lock;
	struct rd_engine engine;	/* running: there is one */
	bool running;
	struct rd_local_host host;
	struct rd_link all;		/* struct rd_local_ring */
	struct rd_link touched;
	struct rd_link waiters;
	struct rd_link dormant;		/* struct rd_local_ring, by link: not in the engine */
	struct rd_link shares;		/* struct rd_local_share that are locked with us */
	pid_t pid, parent;
	unsigned int heirs;		/* processes that are watched, and what others have left to be seen to */
	unsigned int lingering;		/* rings that do */
	unsigned int unheard;		/* rings that are */
	bool poisoned;			/* forked in the middle of something: what there is of rings cannot be used */
	const void *driver;		/* who sleeps in the reactor: a waiter, &rd_local.background, NULL: nobody */
	bool asleep;			/* it does at this moment */
	uint32_t last_id;
	uint32_t generation;		/* of processes: one more in each child of a fork(); 0 is none */
	struct rd_local_background {
		pthread_t thread;
		bool started, quit;
		int epfd;		/* where it sleeps: the loop (when it drives) and ctl */
		int ctl;
		bool armed;		/* the loop is in epfd */
		unsigned int idle;	/* turns since it yielded */
		int nap_ms;		/* the longer the longer nothing happens */
		bool naps;		/* where it sleeps it looks for unheard rings now and then */
	} background;
	bool alone;			/* no background thread could be made: see do_without() in driver.c */
	bool bound;			/* libc's poll() and friends, as the program calls them, are ours */
};
extern struct rd_local rd_local;

/* --- thread.c --- */
void rd_local_lock(void);
void rd_local_unlock(void);
/* The lock, if it can be had until then (CLOCK_REALTIME) and no handler has interrupted this very thread in here. */
bool rd_local_lock_until(const struct timespec *end);
/* Others get it for a moment; yield: whether they want it or not. */
void rd_local_pass(bool yield);
/* A signal handler interrupted this very thread in here: the call cannot be served. Without the lock. */
bool rd_local_inside(void);
struct rd_local_thread *rd_local_thread(void);
/* The calling thread as the kernel numbers it; the first time in its life and process it is noted. */
pid_t rd_local_thread_begin(void);
/* Waiters of this thread that nobody will come back to are taken down. */
void rd_local_thread_tidy(void);
/* On the list; the caller has a reference of the ring. NULL: too many handlers wait inside each other. */
struct rd_local_waiter *rd_local_waiter_new(struct rd_local_ring *lr);
void rd_local_waiter_free(struct rd_local_waiter *w);

/* --- process.c --- */
/* Before the lock is taken for what may need an engine: rd_local_start() asks nobody who might be waiting for us. */
void rd_local_look_around(void);
/* The engine, if there is none yet. 0, -ENOMEM, -EMFILE. */
int rd_local_start(void);
void rd_local_life_lock(void);	/* nobody ends the engine */
bool rd_local_life_lock_until(const struct timespec *end);
void rd_local_life_unlock(void);
void rd_local_life_again(void);	/* in the child of a fork(): nobody has it */
/* Without the lock: the last ring may have gone; then the engine goes, too. */
void rd_local_settle_down(void);

/* --- fork.c --- */
/* Before the first ring: fork() is seen to. Without the lock. */
void rd_local_fork_watch(void);
/* A ring that came with a fork() is to be used. NULL: it cannot be. */
struct rd_local_ring *rd_local_wake_up(struct rd_local_ring *lr);
/* Its last number here was closed, but another process has one: its requests go on. False: there is none, or nothing to wait for. */
bool rd_local_linger(struct rd_local_ring *lr);
/* Rings that have nothing to wait for any more end. */
void rd_local_linger_look(void);
/* Instead, its last number was closed. */
void rd_local_dormant_drop(struct rd_local_ring *lr);

/* --- driver.c --- */
/* One turn, and those who wait hear of what it brought. How much was done. */
unsigned int rd_local_turn(void);
/* The same for who goes on with it. */
unsigned int rd_local_turn_on(void);
/* Nobody drives any more: the background thread does, if it can be had. */
void rd_local_give(void);
/* A ring that is awake polls its SQ; others are awake for as long as it takes to look at them. */
bool rd_local_polls_an_sq(void);
void rd_local_ring_eventfd(int fd);
void rd_local_hush_eventfd(int fd);
/* Before the lock is given back after the engine was used: somebody sees to what is pending. */
void rd_local_leave(void);
/* The ring a waiter waits for has gone. */
void rd_local_waiter_end(struct rd_local_waiter *w);

/* --- background.c --- */
/* True: it is there. */
bool rd_local_background_start(void);
/* Does what happens in the loop wake it? */
void rd_local_background_arm(bool arm);
/* Something is kept open by rings whose closing nobody tells of: they are looked for from time to time. */
void rd_local_background_watch(void);
void rd_local_driver_stop(void);	/* without the lock: the background thread ends */
/* Child of fork(): nobody drives, nobody waits. */
void rd_local_driver_forget(void);

/* --- wait.c --- */
/* As long as somebody waits for a CQE. until NULL: no limit. mask NULL: signals as they are. */
struct rd_local_until {
	bool timed;
	clockid_t clock;
	uint64_t deadline;		/* ns of clock, absolute */
	uint64_t min_deadline;		/* until then target counts, from then on one CQE is enough; 0: none */
	const void *mask;		/* kernel's sigset, 8 bytes; NULL: none */
};
/* The time of a clock. */
static inline uint64_t rd_local_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
/*
 * Until the CQ has min CQEs. 0, -ETIME, -EINTR. The lock is given up while it sleeps. -EOWNERDEAD: a handler has forked, this is the
 * child, and the caller's reference is gone with all else.
 */
int rd_local_wait(struct rd_local_ring *lr, uint32_t min, const struct rd_local_until *until);
/* What it waits for is there, or its ring has gone. */
bool rd_local_reached(const struct rd_local_waiter *w);

/* --- starve.c --- */
/* No worker is to be had: what waits for one is cancelled. */
void rd_local_starve(void);

/* --- ringfd.c --- */
/* A descriptor (the lowest free number) and all that makes it readable. 0, -EMFILE, -ENOMEM. */
int rd_local_ringfd_new(struct rd_local_ring *lr);
void rd_local_ringfd_undo(struct rd_local_ring *lr);	/* nobody has heard of it yet */
/* The ring a number means, or NULL. The reference is the number's. */
struct rd_local_ring *rd_local_ring_of(int fd);
/* The same where it matters that the number has not become another file's unheard: costs a system call. */
struct rd_local_ring *rd_local_ring_sure(int fd);
/* What is said of a number that is no ring's: err, but -EBADF if it is no open file, which a mere path (O_PATH) is not either. */
int rd_local_no_ring(int fd, int err);
/* Is the ring readable, does its descriptor say so? */
void rd_local_ringfd_update(struct rd_local_ring *lr);
/* rd_local_poll_sync() and rd_local_poll_out() with the lock. */
void rd_local_ringfd_watch(int fd);
uint32_t rd_local_ringfd_room(int fd);
/* Our loop is put into the rings' descriptors, or taken out: they are readable while there is something to be done. */
void rd_local_ringfd_expose(bool on);
/* Numbers of rings that were closed without a word: their rings end. */
void rd_local_ringfd_lost(void);
/* What rd_local_close() does, with the lock. */
bool rd_local_ringfd_close(int fd);
/* No number is a ring's. In the child of a fork(), too: */
void rd_local_ringfd_forget(void);
/* References are those of numbers, and no others: in the child of a fork(). */
void rd_local_ringfd_recount(void);
void rd_local_ringfd_free(struct rd_local_ring *lr);	/* what is ours of it */

/* --- setup.c --- */
struct rd_local_ring *rd_local_ring_get(struct rd_local_ring *lr);
/* The last reference ends the ring. */
void rd_local_ring_put(struct rd_local_ring *lr);
void rd_local_ring_end(struct rd_local_ring *lr);	/* nobody refers to it */
void rd_local_ring_free(struct rd_local_ring *lr);	/* it is on no list, and the engine has nothing of it */
/* Move to other sizes: params in and out as REGISTER_RESIZE_RINGS; the program maps the new memory afterwards. */
int rd_local_ring_resize(struct rd_local_ring *lr, struct ringd_params *params);
void rd_local_ring_gone(struct rd_host *host, struct rd_ring *ring);	/* host ops */
void rd_local_ring_dead(struct rd_host *host, struct rd_ring *ring, uint32_t reason);
void rd_local_ring_wake(struct rd_host *host, struct rd_ring *ring);

/* --- ringmem.c --- */
/* Memory of ours, as lr->layout has it. 0, -ENOMEM. */
int rd_local_ring_memory(struct rd_local_ring *lr);
void rd_local_ring_unmap(struct rd_local_ring *lr);
/* A second view of lr->mem.rings or .sqes, of len bytes. -errno. */
int rd_local_ring_view(void **ret, const struct rd_local_ring *lr, void *of, size_t len, int prot);

/* --- usermem.c --- */
/* Memory that the program has brought for its ring. 0, -EFAULT, -EINVAL. */
int rd_local_user_mem(struct rd_local_ring *lr, uint64_t rings, uint64_t sqes);
/* The ring's memory can be touched. */
bool rd_local_user_mem_there(const struct rd_local_ring *lr);
/* The ring is closed: its program may do with that memory what it likes. */
void rd_local_user_mem_leave(struct rd_local_ring *lr);

/* --- slots.c: REGISTER_RING_FDS, 16 per thread --- */
#define RD_LOCAL_SLOTS	16
/* slot < 0: the first free one. The slot, -EINVAL, -EBUSY. */
int rd_local_slot_set(int slot, struct rd_local_ring *lr);
int rd_local_slot_clear(unsigned int slot);			/* 0; not in use is fine. -EINVAL */
struct rd_local_ring *rd_local_slot_get(unsigned int slot);	/* NULL: nothing there */

/* --- register.c --- */
void rd_local_register_drop(struct rd_local_ring *lr);	/* lr->regs; the ring is dead */
/* An entry of the wait region for EXT_ARG_REG at this offset. NULL: there is none. */
const struct ringd_reg_wait *rd_local_reg_wait(struct rd_local_ring *lr, uint64_t off);
/* What is to be mapped at an offset of the ring's descriptor that is no ring memory: 0 and where it is, -EINVAL. */
int rd_local_register_region(struct rd_local_ring *lr, uint64_t off, size_t len, int *memfd, uint64_t *at);
/* A task's own restrictions for the rings it makes. */
void rd_local_task_rules(struct rd_ctx *ctx);

#endif
