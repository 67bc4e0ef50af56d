/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of libringd share. Nothing here is installed. */
#ifndef RDL_PRIVATE_H
#define RDL_PRIVATE_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define RDL_SINGLE_THREADED	__libc_single_threaded
#endif
#endif
#if !defined(RDL_SINGLE_THREADED)
#define RDL_SINGLE_THREADED	0
#endif

#include "client-lib/ringd.h"
#include "proto/wire.h"

#define RDL_CLEANUP(fn)		__attribute__((__cleanup__(fn)))
#define RDL_CLOSE		RDL_CLEANUP(rdl_closep)
#define RDL_FREE		RDL_CLEANUP(rdl_freep)
#define RDL_UNLIKELY(x)		__builtin_expect(!!(x), 0)
#define RDL_LIKELY(x)		__builtin_expect(!!(x), 1)
#define RDL_COLD		__attribute__((__noinline__, __cold__))
#define RDL_PRINTF(f, a)	__attribute__((__format__(__printf__, f, a)))
#define RDL_MIN(a, b)		((a) < (b) ? (a) : (b))

#define RDL_FOREVER		UINT64_MAX	/* deadlines: CLOCK_MONOTONIC in ns */
#define RDL_NS			1000000000ull

static inline void rdl_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

static inline void rdl_closep(int *fd)
{
	rdl_close(*fd);
}

static inline void rdl_freep(void *p)
{
	free(*(void **)p);
}

static inline int rdl_steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

static inline uint64_t rdl_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * RDL_NS + (uint64_t)ts.tv_nsec;
}

static inline void rdl_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/*
 * A cheap clock of no particular unit, for "not more often than about 100 us": the fast paths look at it once per call,
 * where clock_gettime() would be the dearest thing they do.
 */
static inline uint64_t rdl_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return rdl_now();
#endif
}
#if defined(__x86_64__)
#define RDL_TICKS_CHECK		(1u << 18)	/* 52 to 130 us at 5 to 2 GHz */
#else
#define RDL_TICKS_CHECK		100000u
#endif

#define rdl_load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define rdl_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define rdl_store(p, v)		__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define rdl_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
/* Release store and a full barrier. On x86 an exchange is both, and the cheapest way; elsewhere a later load may pass its
 * store half. */
#if defined(__x86_64__) || defined(__i386__)
#define rdl_store_barrier(p, v)	((void)__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#else
#define rdl_store_barrier(p, v) \
	(__atomic_store_n(p, v, __ATOMIC_RELEASE), __atomic_thread_fence(__ATOMIC_SEQ_CST))
#endif

/* --- locks: lock.c --- */

/* Between threads of this process, for short times. 0: free, 1: held, 2: held and somebody sleeps until it is not. */
struct rdl_lock {
	uint32_t word;
};

void rdl_lock_slow(struct rdl_lock *lock);
void rdl_unlock_slow(struct rdl_lock *lock);

static inline void rdl_lock(struct rdl_lock *lock)
{
	uint32_t nobody = 0;

	if (RDL_UNLIKELY(!__atomic_compare_exchange_n(&lock->word, &nobody, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		rdl_lock_slow(lock);
}

static inline void rdl_unlock(struct rdl_lock *lock)
{
	if (RDL_UNLIKELY(__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) != 1))
		rdl_unlock_slow(lock);
}

/* A number that no other thread of this process has or had; never 0. */
uint64_t rdl_thread_id(void);

/* --- connection --- */

struct ringd {
	int sock;			/* control connection */
	bool dead;			/* it broke: every request from now on is -ECONNRESET */
	bool lost;			/* the last request was done, but the descriptors of its answer could not be taken */
	uint32_t seq;			/* of the last request */
	pid_t engine_pid;
	uint32_t features;
	uint64_t limits[16];
	struct ringd_ring *rings;	/* all that belongs to it, newest first */
	struct ringd_arena *arenas;
	bool restricted;		/* the engine knows how this process restricted itself */
	struct rdl_channel *channel;	/* NULL until something needs it */
	bool cwd_told;			/* the engine has a base for relative paths: */
	dev_t cwd_dev;			/* this one */
	ino_t cwd_ino;
	bool failed;			/* text says something */
	char text[RINGD_TEXT_MAX + 64];
};

/* strerror.c: keep the words for ringd_strerror(); returns err */
int rdl_fail(struct ringd *rd, int err, const char *fmt, ...) RDL_PRINTF(3, 4);
void rdl_connect_text(const char *text);
void rdl_text(char *text, size_t size, int err, const char *what);

/* control.c */
struct rdl_packet {
	void *data;			/* in: room for the answer; a whole struct ringd_msg and more */
	size_t size;			/* in: room, out: length */
	int *fds;			/* in: room, out: descriptors, the caller's */
	size_t n_fds;
};
int rdl_sock_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds, int timeout_ms);
int rdl_sock_recv(int sock, struct rdl_packet *in, int timeout_ms);
/*
 * Check an answer: length, type, seq. Its res when it is 0 or more; a negative res keeps the engine's words in rd.
 * Closes the descriptors of a failed answer and of one that is not n_fds long.
 */
int rdl_check_answer(struct ringd *rd, const struct ringd_msg *request, struct rdl_packet *in, size_t min_size, size_t n_fds);
/*
 * A request in parts, for those longer than one packet: start once, send each packet (first: none was sent before it),
 * finish: the answer as below. A failure of the first send leaves the connection as it was.
 */
int rdl_request_start(struct ringd *rd, struct ringd_msg *msg, uint16_t type);
int rdl_request_send(struct ringd *rd, struct ringd_msg *msg, size_t size, const int *fds, size_t n_fds, bool first);
int rdl_request_finish(struct ringd *rd, const struct ringd_msg *msg, struct rdl_packet *in, size_t min_size, size_t n_fds);
/*
 * One request (size, type, seq are filled in here) and its answer of at least min_size bytes with exactly n_fds
 * descriptors. res of the answer, 0 or more, or a negative errno; then in holds no descriptor.
 */
int rdl_request(struct ringd *rd, struct ringd_msg *msg, uint16_t type, size_t size, int fd, struct rdl_packet *in,
		size_t min_size, size_t n_fds);

/* --- arenas --- */

struct rdl_block;

struct ringd_arena {
	struct ringd *rd;
	struct ringd_arena *next, **prev;
	char *base;
	size_t size;
	uint32_t id;

	/* arena_alloc.c; none of it in shared memory */
	struct rdl_block *first;	/* all blocks in address order; NULL until the first allocation */
	uint64_t bins;			/* bit i: free[i] is not empty */
	struct rdl_block *free[64];	/* by floor(log2(units)) */
	struct rdl_block **used;	/* hash by offset */
	size_t used_mask, n_used;	/* used_mask + 1 chains, 0 before the first */
};

void rdl_arena_alloc_deinit(struct ringd_arena *arena);
/* Address space for size bytes that nothing else will use, aligned to the power of two align. NULL: none. */
void *rdl_reserve(size_t size, size_t align);
/* Without telling the engine. */
void rdl_arena_unlink(struct ringd_arena *arena);

/* --- rings --- */

/* Does spinning pay for waits of one kind? wait.c */
struct rdl_spin {
	uint32_t skip;			/* so many waits from now on sleep at once */
	uint32_t penalty;		/* skip after the next time that it was in vain */
};

/* What a ring has that the shortest way does not know of: ringd_ring.special. */
#define RDL_DEAD	0x01u	/* sticky */
#define RDL_DISABLED	0x02u	/* R_DISABLED, and not enabled yet */
#define RDL_ISSUER	0x04u	/* SINGLE_ISSUER: only the thread issuer submits and registers */
#define RDL_LAZY	0x08u	/* DEFER_TASKRUN or IOPOLL: late completions are posted only while somebody is in an enter */
#define RDL_DEFER	0x10u	/* ... DEFER_TASKRUN: only the issuer may wait */
#define RDL_IOPOLL	0x20u
#define RDL_REWIND	0x40u	/* SQ_REWIND */

#define RDL_BELLS	8	/* eventfds kept for threads that sleep beside another */

struct rdl_sleeper;

/*
 * Geometry and indices are private: of the shared words only those are read that the engine writes. The first two lines
 * belong to whoever submits, the next two to whoever reaps. One thread may do the one and one the other, and any number
 * may wait beside them; so what a waiter looks at is loaded and stored atomically.
 */
struct ringd_ring {
	/* submitter */
	struct ringd_sqe *sqes;
	struct ringd_hot *hot;
	uint32_t sq_tail;		/* SQEs handed to the caller */
	uint32_t sq_published;		/* hot->sq_tail */
	uint32_t sq_head;		/* hot->sq_head when it was last looked at: never ahead of it */
	uint32_t sq_mask;
	uint32_t sq_entries;
	uint32_t sq_plain;		/* sq_entries where an SQE is one slot of 64 bytes, otherwise 0 */
	uint8_t sqe_shift;		/* an SQE is this many doublings of 64 bytes */
	bool sqpoll;
	uint64_t sq_checked;		/* ticks at the last look at the wake socket */
	struct rdl_lock enter_lock;	/* one enter at a time: enter_seq and the words in hot */
	uint32_t enter_seq;		/* hot->enter_seq */
	struct rdl_spin enter_spin;

	/* reaper */
	struct ringd_cqe *cqes __attribute__((__aligned__(128)));
	struct ringd_hot *cq_hot;	/* hot again: a reaper need not touch the submitter's lines */
	uint32_t cq_head;
	uint32_t cq_tail;		/* hot->cq_tail when it was last looked at; a waiter may set it back to an older one */
	uint32_t cq_mask;
	uint32_t cq_entries;
	uint8_t cqe_shift;		/* a CQE is this many doublings of 16 bytes */
	bool mixed;			/* CQE_MIXED: or some are, and some are fillers */
	uint64_t cq_checked;
	struct rdl_spin cq_spin;
	uint32_t channel_seen;		/* hot->channel when the channel was last emptied for it */
	bool poll_mode;			/* ringd_ring_fd() was called: keep the wait word armed */
	bool armed;			/* ... it is, for the CQE after armed_for */
	uint32_t armed_for;

	/* all, and rarely */
	uint32_t special __attribute__((__aligned__(128)));	/* RDL_* */
	struct rdl_lock sleep_lock;	/* sleepers, leader, bells, wait_seq, hot->wait */
	struct rdl_sleeper *sleepers;	/* all that sleep for this ring */
	struct rdl_sleeper *leader;	/* the one of them that sleeps on the wake socket */
	uint32_t wait_seq;		/* high word of the last wait word, without the kind */
	uint32_t waiters;		/* RDL_LAZY: threads in an enter that waits; hot->waiting is their sum */
	int bells[RDL_BELLS];
	unsigned int n_bells;
	uint64_t issuer;		/* rdl_thread_id() */
	uint32_t dropped;		/* hot->cq_overflow when it was last looked at */
	clockid_t clock;		/* REGISTER_CLOCK */
	const void *wait_region;	/* ringd_reg_wait[], NULL: there is none */
	size_t wait_region_size;
	uint32_t refs;			/* connection, handle, tables of registered rings; see ringfds.c */
	bool freed;			/* ringd_ring_free() was called */
	bool borrowed;			/* NO_MMAP: rings and sqes are the caller's memory */
	int index;			/* of ringd_register_ring_fd(), -1 */
	int doorbell;			/* eventfd */
	int wake;			/* stream socket */
	struct ringd *rd;		/* NULL: the connection is closed */
	struct ringd_ring *next, **prev;
	uint32_t id;
	uint32_t flags, features;
	void *rings;
	size_t rings_size, sqes_size;
	uint32_t files_nr, bufs_nr;	/* size of the registered tables, 0: none */
	void *region;			/* REGISTER_MEM_REGION, NULL: none */
	size_t region_size;
	bool region_mapped;		/* by us */
	struct rdl_zcrx *zcrxs;		/* zcrx.c */

	/* scratch.c */
	char *scratch;
	size_t scratch_size;		/* as reserved */
	uint32_t *scratch_of;		/* block + 1 that the SQE in this slot uses, 0: none */
	uint32_t *scratch_free;		/* stack of free blocks */
	uint32_t scratch_n_free;
	uint32_t scratch_head;		/* blocks of the SQEs before this index were taken back */
};

static inline uint32_t rdl_sqe_slot(const struct ringd_ring *ring, const struct ringd_sqe *sqe)
{
	return (uint32_t)((sqe - ring->sqes) >> ring->sqe_shift) & ring->sq_mask;
}

/* zcrx.c */
void rdl_zcrx_deinit(struct ringd_ring *ring);

/* ring.c */
/* The connection is closed: unmap, close, forget. */
void rdl_ring_close(struct ringd_ring *ring);
/* Free the rings that only the connection still knows. */
void rdl_rings_sweep(struct ringd *rd);

static inline void rdl_ring_get(struct ringd_ring *ring)
{
	__atomic_add_fetch(&ring->refs, 1, __ATOMIC_RELAXED);
}

static inline void rdl_ring_put(struct ringd_ring *ring)
{
	if (!__atomic_sub_fetch(&ring->refs, 1, __ATOMIC_ACQ_REL))
		free(ring);
}

/* setup.c: as the engine will compute them, and with it io_uring. 0 or -EINVAL. */
struct rdl_sizes {
	uint32_t sq_entries, cq_entries;
	size_t rings, sqes;
};
int rdl_sizes(struct rdl_sizes *sizes, uint32_t entries, const struct ringd_params *params);

/* ringfds.c: registered rings of the calling thread */
/* Is there a free slot? 0, -EBUSY */
int rdl_fds_room(void);
/* Its slot, -EBUSY, -ENOMEM */
int rdl_fds_add(struct ringd_ring *ring);
/* Is it in the table? 0, -EBADF; -EINVAL: there is no table. */
int rdl_fds_check(const struct ringd_ring *ring);

static inline uint32_t rdl_special(const struct ringd_ring *ring)
{
	return rdl_load(&ring->special);
}

static inline bool rdl_is_dead(const struct ringd_ring *ring)
{
	return rdl_special(ring) & RDL_DEAD;
}

/* submit.c */
/* One enter of to_submit SQEs; its result or -ECONNRESET */
int rdl_enter(struct ringd_ring *ring, uint32_t to_submit, uint32_t flags);
/*
 * All SQEs that were got, at most max of them, and RINGD_ENTER_GETEVENTS where that has an effect. The result of
 * io_uring_enter() as far as it is about submission; *asked: how many there were.
 */
int rdl_submit(struct ringd_ring *ring, uint32_t max, uint32_t flags, uint32_t *asked);
/* SQPOLL: show the engine the SQEs that were got. */
void rdl_publish(struct ringd_ring *ring);
/* Ring the doorbell if the engine sleeps. 0 or -ECONNRESET */
int rdl_wake_engine(struct ringd_ring *ring);

/* How a wait ends, apart from having what it waits for. */
struct rdl_until {
	uint64_t deadline;	/* ns of clock, or RDL_FOREVER */
	uint64_t min_deadline;	/* end of the first phase of min_wait, 0: there is none */
	clockid_t clock;	/* CLOCK_MONOTONIC or CLOCK_BOOTTIME */
	bool masked;
	sigset_t mask;		/* ... signals that do not end it */
};

static inline uint64_t rdl_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * RDL_NS + (uint64_t)ts.tv_nsec;
}

/* wait.c; until NULL: for ever */
/*
 * Until the target of kind (RINGD_WAIT_KIND_*) is reached; for CQ also until CQEs are held back or tasks are pending. 0,
 * -ETIME, -EINTR (a signal; never for ENTER), -ECONNRESET.
 */
int rdl_wait(struct ringd_ring *ring, uint32_t kind, uint32_t target, const struct rdl_until *until);
bool rdl_reached(const struct ringd_ring *ring, uint32_t kind, uint32_t target);
/* Time left of the wait, in ns. */
uint64_t rdl_left(const struct rdl_until *until);
/* Is the ring dead? Asks the kernel. What was posted before it died is visible afterwards. */
bool rdl_dead(struct ringd_ring *ring);
bool rdl_mark_dead(struct ringd_ring *ring);
/* ts, relative or a point on the clock, from now on. NULL: for ever; what is no time has passed. */
uint64_t rdl_deadline(clockid_t clock, const struct timespec *ts, bool absolute);
/* From now on, with a relative ts, on the ring's clock. */
void rdl_until_init(struct rdl_until *until, const struct ringd_ring *ring, const struct timespec *ts,
		    unsigned int min_wait_usec, const sigset_t *sigmask);

/* sleep.c */
/* Not reached yet: sleep until it is. As rdl_wait(). */
int rdl_sleep(struct ringd_ring *ring, uint32_t kind, uint32_t target, const struct rdl_until *until);
/* Poll mode: make the descriptor readable at the next CQE. False: there is one already. */
bool rdl_arm(struct ringd_ring *ring);
void rdl_sleep_deinit(struct ringd_ring *ring);

/* events.c; until NULL: for ever */
/* Where only an enter brings CQEs that were completed already: the flags for it, else 0. */
uint32_t rdl_needs_enter(const struct ringd_ring *ring);
/* Are there nr CQEs, or as many as can be? */
bool rdl_enough(const struct ringd_ring *ring, uint32_t nr);
/* Run what is late, fetch what is held back, do not wait: 0 or the error. */
int rdl_get_events(struct ringd_ring *ring);
/* The wait of an enter with GETEVENTS for nr CQEs: 0 or its error. */
int rdl_wait_events(struct ringd_ring *ring, uint32_t nr, const struct rdl_until *until);
/* Submit want SQEs and, when all of them went, wait for nr CQEs (0: do not wait): the result of the enter that does both. */
#define RDL_ALL		UINT32_MAX	/* all that were got */
int rdl_submit_and_wait(struct ringd_ring *ring, uint32_t want, uint32_t nr, const struct rdl_until *until);

/* channel.c */
struct rdl_channel;
/* Ask the engine for it, once. 0 or -errno. */
int rdl_channel_open(struct ringd *rd);
void rdl_channel_close(struct ringd *rd);
/* The CQE has RINGD_CQE_F_CHANNEL: put its real result in place of the cookie. One that only looks so stays as it is. */
RDL_COLD void rdl_channel_resolve(struct ringd_ring *ring, struct ringd_cqe *cqe);
/* Take all packets there are; those that belong to CQEs are kept. */
void rdl_channel_drain(struct ringd *rd);
/* The ring is no more: nor is what came for it and was not asked for. */
void rdl_channel_forget(struct ringd_ring *ring);
/* Could the two be stored to? */
bool rdl_pair_writable(const int *pair);

/* The engine asks for it: the channel is full, or has something that no CQE tells of. */
static inline void rdl_channel_look(struct ringd_ring *ring)
{
	uint32_t news = rdl_load_acquire(&ring->cq_hot->channel);

	if (RDL_UNLIKELY(news != rdl_load(&ring->channel_seen))) {
		rdl_store(&ring->channel_seen, news);
		rdl_channel_drain(ring->rd);
	}
}

/* Every CQE goes through here on its way to the caller. */
static inline struct ringd_cqe *rdl_cqe_open(struct ringd_ring *ring, struct ringd_cqe *cqe)
{
	if (RDL_UNLIKELY(rdl_load_acquire(&cqe->flags) & RINGD_CQE_F_CHANNEL))
		rdl_channel_resolve(ring, cqe);
	return cqe;
}

/* scratch.c */
int rdl_scratch_init(struct ringd_ring *ring, uint32_t blocks);
void rdl_scratch_deinit(struct ringd_ring *ring);
/* size bytes, at most RINGD_SCRATCH_PER_SQE, that are the SQE's until the engine has taken it */
void *rdl_scratch(struct ringd_ring *ring, const struct ringd_sqe *sqe, size_t size);

/* The SQEs of all slots are taken (SQ_REWIND, whose sq_head does not tell). */
void rdl_scratch_reset(struct ringd_ring *ring);

/* copyin.c: as copy_from_user(): 0 or -EFAULT */
int rdl_copy_in(void *dst, uint64_t src, size_t size);

/* regcall.c: one register call */
struct rdl_call {
	struct ringd_register reg;	/* opcode, nr and has_tags filled in */
	char *data;			/* owned */
	size_t size, room;
	int *fds;			/* owned */
	size_t n_fds;
};

/* room: bytes of all that will be added; rdl_call_free() in any case */
int rdl_call_init(struct ringd *rd, struct rdl_call *c, uint32_t opcode, uint32_t nr, size_t room, size_t n_fds);
void rdl_call_free(struct rdl_call *c);
void rdl_call_add(struct rdl_call *c, const void *data, size_t size);
void rdl_call_add_tags(struct rdl_call *c, const uint64_t *tags, unsigned int nr);
/* A number >= 0 becomes "the next descriptor"; -1 and -2 go as they are. */
void rdl_call_add_fds(struct rdl_call *c, const int *fds, unsigned int nr);
void rdl_call_add_iovecs(struct rdl_call *c, const struct iovec *iov, unsigned int nr);
/*
 * The call, its answer at least min_size bytes long and with n_fds descriptors. *unsent: a descriptor may have been the
 * reason that nothing was sent. ring NULL: a call without a ring, on rd.
 */
int rdl_call_do(struct ringd *rd, struct ringd_ring *ring, struct rdl_call *c, struct rdl_packet *in, size_t min_size,
		size_t n_fds, bool *unsent);
/* An answer that is only a result. */
int rdl_call_simple(struct ringd_ring *ring, struct rdl_call *c, bool *unsent);
/*
 * data alone, and out_size bytes of the answer's data; fd: the answer brings one descriptor, the caller's (-1 when it
 * failed). ring NULL: as above.
 */
#define RDL_CALL_OUT	256u		/* the largest out_size */
int rdl_call_get(struct ringd *rd, struct ringd_ring *ring, uint32_t opcode, uint32_t nr, const void *data, size_t size,
		 void *out, size_t out_size, int *fd);
/* The same without anything but a result. */
int rdl_call_one(struct ringd_ring *ring, uint32_t opcode, uint32_t nr, const void *data, size_t size);
/* May this thread register with the ring? 0, -EEXIST: another one has it for itself. */
int rdl_may_register(const struct ringd_ring *ring);
/* Before checks made here: when the engine is gone, that is the answer, whatever the arguments are. */
int rdl_check_alive(struct ringd_ring *ring);

/* register_ring.c: tell the engine how this process restricted itself, once. 0 or -errno. */
int rdl_task_restrict(struct ringd *rd);

/* umask.c: the umask of the calling process */
mode_t rdl_umask(void);

/* cwd.c: tell the engine the working directory if it changed. 0 or -errno. */
int rdl_tell_cwd(struct ringd *rd);

#endif
