/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service host's own objects. A session is one client connection; it owns the client's rings, arenas and working
 * directory and outlives the connection until the last request that uses them has come back. Reactor thread only,
 * except for the run() functions of works.
 */
#ifndef RD_SESSION_H
#define RD_SESSION_H

#include <event2/event.h>

#include "../engine.h"
#include "../exec/reactor.h"
#include "../exec/workers.h"
#include "../host.h"
#include "../register/register.h"
#include "../ring/ring.h"
#include "daemon/common/link.h"
#include "daemon/common/list.h"
#include "daemon/common/util.h"

struct rd_file;
struct rd_session;

/* --- service.c --- */

struct rd_service {
	struct rd_engine engine;
	int link_fd;			/* -1: the manager is gone */
	struct event *link_event;
	struct event *link_room;	/* something is owed that the link had no room for */
	bool owe_ready, owe_load, owe_stats;
	uint32_t stats_cookie;
	uint64_t started_ns;
	struct event *sigterm;
	struct event *tick;		/* one timer: for the end, or for descriptors that do not close */
	uint64_t stop_ns;		/* not 0: ending since then */
	bool settled;			/* nobody was left, and what that should look like has been checked */
	struct rd_link sessions;
	struct rd_link infos;		/* texts on their way to the manager, oldest first */
	unsigned int n_infos;
	struct rd_link exports;		/* struct rd_export of rings that have a token */
	uint64_t attached, clients;	/* as in struct rd_link_load */
	unsigned int jobs;		/* works of ours that have not come back */

	/* the packet that is being looked at; one at a time */
	_Alignas(8) uint8_t packet[RINGD_MSG_MAX];
	int fds[RINGD_MSG_FDS];
	struct rd_link_stats stats;
};

/* A client came or went: tell the manager. */
void rd_service_changed(struct rd_service *service);
/* A session was freed or a work came back: was it the last? */
void rd_service_settled(struct rd_service *service);

/* --- info.c --- */
/* The manager asks for ring (0: a list of all) under this cookie. */
void rd_info_ask(struct rd_service *service, uint32_t cookie, uint32_t ring);
/* Send what is owed. False: the link has no room now. */
bool rd_info_send(struct rd_service *service);
void rd_info_drop(struct rd_service *service);

/* --- closer.c --- */

/*
 * Close descriptors that came from a client: close() may sleep for as long as that client likes, so a worker does it.
 * Entries that are -1 are skipped, the others become -1. session may be NULL; else it lives until they are closed.
 */
void rd_closer_close(struct rd_service *service, struct rd_session *session, int *fds, size_t n);

/* --- memory.c --- */

/* Client addresses that mean something: arenas, and the scratch areas of rings. */
struct rd_range {
	uint64_t base, size;		/* client's */
	char *ptr;			/* ours */
	struct rd_arena *arena;		/* NULL: scratch, for small inputs and never for data */
};

struct rd_space {
	struct rd_range *ranges;	/* by base; they do not overlap */
	uint32_t nr, room;
	uint32_t hit;			/* where the last look-up succeeded */
};

/* 0; -EINVAL: not page aligned, 0, or beyond the end; -EEXIST: overlaps another; -ENOMEM. */
int rd_space_add(struct rd_session *session, const struct rd_range *range);
void rd_space_remove(struct rd_space *space, uint64_t base);	/* unknown: nothing */
void *rd_memory_map(struct rd_host *host, uint64_t addr, uint64_t len, struct rd_mem **owner);
int rd_memory_copy_in(struct rd_host *host, void *dst, uint64_t addr, size_t len);
int rd_memory_copy_out(struct rd_host *host, uint64_t addr, const void *src, size_t len);
ssize_t rd_memory_copy_str(struct rd_host *host, char *dst, uint64_t addr, size_t size);

/* --- session.c --- */

/* A request, in private memory. The handler takes descriptors by setting them to -1; what it leaves is closed. */
struct rd_packet {
	const void *data;		/* struct ringd_msg and what follows */
	size_t len;
	int *fds;
	size_t n_fds;
	bool lost;			/* there were more, for which the engine has no room */
};

/* A register call whose fragments are still coming; see register.c. */
struct rd_stage {
	bool active;
	int err;			/* why it will be refused at its end; session->text has the words */
	struct ringd_register head;
	uint8_t *data;
	size_t len;
	int *fds;
	size_t n_fds, room_fds;
	struct rd_charge objects, files;
};

/* A ring by the number the client knows it by. */
struct rd_ring_hit {
	uint32_t id;
	struct rd_ring *ring;		/* NULL: nothing here */
};

struct rd_session {
	struct rd_host host;
	struct rd_service *service;
	struct rd_link link;		/* service->sessions */
	unsigned int refs;		/* the connection, each ring, each work that has not come back */
	bool connected;
	int sock;
	struct event *readable;
	int pidfd;			/* of the process that connected, -1: not known */
	struct event *exited;
	int32_t pid;			/* as the manager knows it; for messages to humans, and see host->pid() */
	uint32_t flags;			/* RD_CLIENT_* */
	struct rd_charge client;
	struct rd_space space;
	struct rd_link arenas;		/* struct rd_arena, those the client has not freed */
	struct rd_link rings;		/* struct rd_hostring, until their last request is back */
	struct rd_restrict task_rules;	/* for rings made from now on */
	uint32_t last_arena, last_ring;	/* ids given out; never given again; a handle's is one of a ring */
	struct rd_link handles;		/* struct rd_handle: rings of other clients */
	struct rd_ring_hit hits[16];	/* ... and own ones, those named last */
	struct rd_cwd *cwd;		/* NULL: the engine's own, the root directory */
	struct rd_channel *channel;	/* NULL: the client has not asked for one */
	struct rd_lent *lent;		/* NULL: nothing was lent yet */
	struct rd_start *start;		/* the lent directory that a path started from last, or NULL */
	struct rd_stage stage;
	struct rd_wait_cancel *wait_cancel;	/* its answer is still to come; NULL: nothing is */
	struct rd_work close_work;	/* for sock */
	uint16_t type;			/* of the request that is being answered */
	uint32_t seq;
	char text[RINGD_TEXT_MAX];	/* of a refusal */
};

/*
 * Takes sock and pidfd (-1: none) over; answers the HELLO with a welcome, or with the reason why not. The session ends with
 * its connection, or with the process of pidfd, whatever keeps the connection open then.
 */
void rd_session_start(struct rd_service *service, int sock, int pidfd, const struct rd_link_client *client);
/* The connection ends (RINGD_REASON_* for its rings). Twice is fine. */
void rd_session_close(struct rd_session *session, uint32_t reason);
void rd_session_get(struct rd_session *session);
void rd_session_put(struct rd_session *session);
/* Answer the request: msg is the head of len bytes, type, seq and size are filled in. A client that does not read its answers
 * is dropped. 0, or -errno when nothing was sent and it still is connected. */
int rd_session_answer(struct rd_session *session, struct ringd_msg *msg, size_t len, int32_t res, const int *fds, size_t n_fds);
/* An answer without more than its result. 0. */
int rd_session_answer_res(struct rd_session *session, int32_t res);
/* Answer with an error, the words of rd_refuse() and an end of the connection if it is -EPROTO. */
void rd_session_answer_error(struct rd_session *session, int err);
/* Nothing is read from the client until the work that answers it has come back. */
void rd_session_pause(struct rd_session *session, bool pause);
/* Note the words of a refusal; returns err. */
int rd_refuse(struct rd_session *session, int err, const char *fmt, ...) __attribute__((__format__(__printf__, 3, 4)));
/* Words for a budget (RINGD_LIMIT_*) that has no room for amount more. -EDQUOT. */
int rd_refuse_budget(struct rd_session *session, unsigned int slot, uint64_t amount);
/* Words for a packet whose descriptors were lost. -EMFILE. */
int rd_refuse_lost(struct rd_session *session);

/*
 * Handlers. 0: answered, or somebody will; -EPROTO: the client broke the protocol, the connection ends; else refused, the words are
 * in session->text. Sizes and numbers of descriptors were checked against the table in session.c.
 */
/* --- arena.c --- */
struct rd_arena;
int rd_arena_create(struct rd_session *session, struct rd_packet *p);
int rd_arena_free(struct rd_session *session, struct rd_packet *p);
void rd_arena_drop_all(struct rd_session *session);
/* A range that also gives the memory a name: the arena's owner. */
struct rd_mem *rd_arena_mem(struct rd_arena *arena);
/* Are its pages huge? mem is one of rd_arena_mem(). */
bool rd_arena_is_huge(const struct rd_mem *mem);
/* >= 0: this arena must be read through its descriptor, see arena.c. */
int rd_arena_fd(const struct rd_arena *arena);

/* --- ringmem.c --- */

/* Zero-initialised: holds nothing. */
struct rd_ringmem {
	struct rd_layout layout;
	struct rd_ring_memory shared;
	struct rd_mem *owners[2];	/* NO_MMAP: the arenas that hold rings and SQEs */
	void *scratch;
	uint64_t scratch_base;		/* 0: not to be found by an address */
	struct rd_charge bytes;
};

/* Check params and write back what setup does. -EINVAL, -EOVERFLOW. */
int rd_ringmem_layout(struct rd_session *session, struct rd_ringmem *mem, struct ringd_params *params);
/* Make or find it all; *memfd is the caller's also on failure. -EDQUOT, -ENOMEM, -EFAULT, -EEXIST, ... */
int rd_ringmem_map(struct rd_session *session, struct rd_ringmem *mem, const struct ringd_params *params, uint64_t scratch_base,
		   int *memfd);
/* Addresses in its scratch area mean nothing from now on. */
void rd_ringmem_hide(struct rd_session *session, struct rd_ringmem *mem);
/* Nobody uses it any more, and it was hidden. */
void rd_ringmem_deinit(struct rd_ringmem *mem);

/* --- hostring.c --- */
struct rd_hostring;

struct rd_region *rd_hostring_region(const struct rd_ring *ring);
/* All rings of the client, those that are ending included. fn changes nothing. */
void rd_hostring_each(struct rd_session *session, void (*fn)(void *arg, uint32_t id, const struct rd_ring *ring), void *arg);
int rd_hostring_create(struct rd_session *session, struct rd_packet *p);
int rd_hostring_free(struct rd_session *session, struct rd_packet *p);
/* Move a ring of this session into new memory; params in and out as in struct ringd_resize. *memfd is the caller's in any case. */
int rd_hostring_resize(struct rd_session *session, struct rd_ring *ring, struct ringd_resized *ret, uint64_t scratch_base,
		       int *memfd);
void rd_hostring_kill_all(struct rd_session *session, uint32_t reason);
/* The living ring of an id, or NULL and *err: -ECONNRESET: was ended, -ENOENT: never was. Words are noted. */
struct rd_ring *rd_hostring_find(struct rd_session *session, uint32_t id, int *err);
/* The same without words: NULL. */
struct rd_ring *rd_hostring_own(struct rd_session *session, uint32_t id);
/* The living rings of a session, one after the other: after NULL the first, after the last NULL. */
struct rd_ring *rd_hostring_next(struct rd_session *session, struct rd_ring *after);
uint32_t rd_hostring_id(const struct rd_ring *ring);
struct rd_export *rd_hostring_export(struct rd_ring *ring);
void rd_hostring_wake(struct rd_host *host, struct rd_ring *ring);
void rd_hostring_dead(struct rd_host *host, struct rd_ring *ring, uint32_t reason);
void rd_hostring_gone(struct rd_host *host, struct rd_ring *ring);

/* --- cwd.c --- */
struct rd_cwd;
int rd_cwd_set(struct rd_session *session, struct rd_packet *p);
void rd_cwd_drop(struct rd_session *session);
int rd_cwd_dirfd(struct rd_host *host, int dirfd, struct rd_mem **owner);
struct rd_start;
/* Let go of the lent directory that was used last, if it is this file (NULL: whatever it is). */
void rd_start_drop(struct rd_session *session, const struct rd_file *file);

/* --- handle.c --- */

/* Part of each ring: who may name it. */
struct rd_export {
	struct rd_link link;		/* service->exports, once it has a token */
	struct rd_link handles;		/* struct rd_handle of other sessions */
	struct rd_session *session;
	struct rd_ring *ring;
	uint32_t id;
	uint8_t token[16];
};

void rd_export_init(struct rd_export *export, struct rd_session *session, struct rd_ring *ring, uint32_t id);
/* The ring is dead: nobody can name it any more. Twice is fine, and before init. */
void rd_export_end(struct rd_export *export);
int rd_handle_export(struct rd_session *session, struct rd_packet *p);
int rd_handle_import(struct rd_session *session, struct rd_packet *p);
int rd_handle_forget(struct rd_session *session, struct rd_packet *p);
void rd_handle_drop_all(struct rd_session *session);
int rd_handle_ring(struct rd_host *host, int fd, struct rd_ctx **ret);

/* --- channel.c --- */
struct rd_channel;
int rd_channel_create(struct rd_session *session, struct rd_packet *p);
void rd_channel_drop(struct rd_session *session);
int rd_channel_can(struct rd_host *host);
int rd_channel_install(struct rd_host *host, struct rd_req *req, const struct rd_newfds *new);
int rd_channel_cancel(struct rd_host *host, struct rd_req *req);
int rd_channel_close(struct rd_host *host, struct rd_req *req, int fd);

/* --- lend.c --- */
struct rd_lent;
int rd_lend(struct rd_session *session, struct rd_packet *p);
int rd_lend_return(struct rd_session *session, struct rd_packet *p);
int rd_lent_file(struct rd_host *host, int fd, struct rd_file **ret);
bool rd_lent_has(const struct rd_session *session, int fd);
/* The number means nothing any more; the reference is the caller's. NULL: it meant nothing. */
struct rd_file *rd_lent_take(struct rd_session *session, int fd);
void rd_lent_drop(struct rd_session *session);

/* --- register.c --- */
int rd_register(struct rd_session *session, struct rd_packet *p);
/* A call of this client, without its ring and what it says. */
void rd_session_reg(struct rd_session *session, struct rd_reg *reg);
/* Its ring. -ECONNRESET, -ENOENT, with words. */
int rd_session_reg_ring(struct rd_session *session, struct rd_reg *reg, uint32_t ring_id);
void rd_stage_drop(struct rd_session *session);
/* --- wait_cancel.c --- */
/* rd_reg_ops->later */
int rd_wait_cancel(struct rd_reg *reg, struct rd_sync_cancel *sc, uint64_t pause_us);
void rd_wait_cancel_drop(struct rd_session *session);
/* --- connection.c --- */
/* Is it a client's end of a connection to ringd, of a channel or of a wake socket? */
bool rd_is_connection(const struct rd_session *session, int fd);
/* A file out of a client's descriptor, which becomes -1. -EBADF, -ENOMEM; -EDQUOT with its words. */
int rd_session_file(struct rd_session *session, struct rd_file **ret, int *fd);

#endif
