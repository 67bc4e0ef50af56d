/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringcp: copies trees over rings. One thread, one ring. Regular files are jobs: stat, open, read, write, sync and
 * close go over the ring, many files and many chunks of a file at once. What the ring has no operation for yet
 * (directories, links, modes, times) are the program's own system calls, always relative to directory descriptors.
 *
 *   ringcp.c -> options.c, run.c
 *   run.c: admits entries of walk.c, as long as a job is free; lets pump.c turn
 *   walk.c: sources -> entries; dir.c: directories, target.c: where a source goes
 *   job.c: one file's life, copy.c and verify.c its data; meta.c, special.c, links.c, extent.c: what they need
 */
#ifndef RD_RINGCP_H
#define RD_RINGCP_H

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/common/list.h"
#include "daemon/common/util.h"
#include "ringd.h"

#define CP_CHUNK_ALIGN	4096u

enum cp_sparse { CP_SPARSE_AUTO, CP_SPARSE_ALWAYS, CP_SPARSE_NEVER };
enum cp_mode { CP_COPY, CP_VERIFY };

struct cp_options {
	char **sources;
	unsigned int n_sources;
	const char *dst;
	const char *socket;		/* NULL: where libringd looks */
	enum cp_sparse sparse;
	unsigned int qd;		/* chunks, and so data requests, in flight */
	unsigned int files;		/* files worked on at once */
	unsigned int chunk;		/* bytes, multiple of CP_CHUNK_ALIGN */
	bool verify, verify_only, fsync, preallocate, xattrs, no_target_dir, one_fs, verbose, quiet, progress;
	bool keep_mode, keep_owner, keep_times, keep_links;
};

/* Exits with 2 on a wrong command line. */
void cp_options_parse(struct cp_options *o, int argc, char **argv);

/* --- directories --- */

/* A pair of open directories, shared by everything below them that is not finished. */
struct cp_dir {
	struct cp_dir *parent;		/* referenced; NULL for the parent of a source */
	unsigned int refs;
	char *src_name, *dst_name;	/* in parent; without parent: absolute paths without symlinks */
	DIR *stream;			/* of the source; owns src_fd */
	int src_fd, dst_fd;
	struct stat st;			/* of the source; st_mode 0 for the parent of a source */
	bool shared;			/* others may put files into the destination: see cp_dir_open() */
	bool failed;			/* its own error was told already */
};

/* Something in a directory that is no directory. */
struct cp_entry {
	struct cp_dir *dir;		/* referenced */
	char *src_name, *dst_name;
	ino_t ino;			/* as the directory says, 0: unknown */
	unsigned char type;		/* DT_*, never DT_UNKNOWN or DT_DIR */
	bool no_link;			/* linking to an earlier copy failed: copy it */
};

struct cp;

/*
 * The directory src_name below parent (reference taken by the new one). Copying makes the destination, for the owner
 * only until it is complete. Errors are told. *ret: one reference. Return: 0, or -errno.
 */
int cp_dir_open(struct cp *cp, struct cp_dir **ret, struct cp_dir *parent, const char *src_name, const char *dst_name);
/* The parents of a source; takes the descriptors and strings also on failure. */
int cp_dir_open_top(struct cp_dir **ret, int src_fd, int dst_fd, char *src_path, char *dst_path);
static inline struct cp_dir *cp_dir_ref(struct cp_dir *dir)
{
	dir->refs++;
	return dir;
}
/* The last one gives the destination its mode and times, or compares them. Returns NULL; NULL is fine. */
struct cp_dir *cp_dir_unref(struct cp *cp, struct cp_dir *dir);
void cp_entry_deinit(struct cp *cp, struct cp_entry *e);

/*
 * Absolute path of name in dir. -ENAMETOOLONG: it does not fit into size; the ring cannot be given such a path.
 */
int cp_path_src(char *buf, size_t size, const struct cp_dir *dir, const char *name);
int cp_path_dst(char *buf, size_t size, const struct cp_dir *dir, const char *name);
/* The same of any length, for messages; heap, NULL without memory. */
char *cp_path_src_full(const struct cp_dir *dir, const char *name);
char *cp_path_dst_full(const struct cp_dir *dir, const char *name);

/* --- where a source goes: target.c --- */

struct cp_target {
	int src_fd, dst_fd;		/* parent directories, -1 when given away */
	char *src_path, *dst_path;	/* their absolute paths without symlinks */
	char *src_name, *dst_name;
};

/* As cp: into DST if that is a directory, otherwise to DST. Errors are told. Return: 0 or -errno. */
int cp_target_resolve(struct cp *cp, struct cp_target *t, const char *src);
void cp_target_deinit(struct cp_target *t);

/* --- walk.c --- */

struct cp_walk {
	struct cp_dir **stack;		/* open directories from the source down; each referenced */
	size_t depth, room;
	unsigned int next_source;
	dev_t dst_dev;			/* identity of the destination of the source being walked */
	ino_t dst_ino;
};

void cp_walk_init(struct cp_walk *w);
/* Next entry, its references the caller's; 0 at the end, 1 with an entry. Errors are told and skipped. */
int cp_walk_next(struct cp *cp, struct cp_walk *w, struct cp_entry *e);
void cp_walk_deinit(struct cp *cp, struct cp_walk *w);

/* --- hard links: links.c --- */

struct cp_link;			/* one inode of the source */
struct cp_links {
	struct cp_link **buckets;
	size_t n_buckets, n;
	struct rd_link retry;	/* entries whose first copy failed: to be copied after all */
};

enum cp_claim {
	CP_CLAIM_FIRST,		/* copy it, then call cp_links_done() or cp_links_failed() */
	CP_CLAIM_TAKEN,		/* the entry was taken over: linked now, later, or handed back by cp_links_retry() */
};

int cp_links_init(struct cp_links *l);
void cp_links_deinit(struct cp *cp, struct cp_links *l);
/* e is moved from on TAKEN. Return: enum cp_claim or -ENOMEM. */
int cp_links_claim(struct cp *cp, const struct stat *st, struct cp_entry *e);
void cp_links_done(struct cp *cp, const struct stat *st, const struct cp_entry *e);
void cp_links_failed(struct cp *cp, const struct stat *st);
bool cp_links_retry(struct cp *cp, struct cp_entry *e);
/* verify: 0: the first name of this source inode, noted; 1: an earlier one had the same destination; -EXDEV: another. */
int cp_links_compare(struct cp *cp, const struct stat *src, const struct stat *dst);

/* --- data of a file: extent.c --- */

/* Ranges of a file that hold data, in order. */
struct cp_extents {
	int fd;			/* own descriptor for SEEK_DATA, -1: all is data */
	off_t size, pos;
};

void cp_extents_init(struct cp_extents *x, int fd, off_t size);	/* takes fd */
void cp_extents_deinit(struct cp_extents *x);
/* Next range with data at or after x->pos. Return: false at the end. */
bool cp_extents_next(struct cp_extents *x, off_t *start, off_t *end);
/* The part of buf between its first and last block that is not zero; false if there is none. */
bool cp_nonzero_part(const void *buf, size_t len, size_t *from, size_t *to);

/* --- ring: pump.c --- */

/* A request in flight; its SQE's user_data points to it. */
struct cp_op {
	void (*done)(struct cp_op *op, int res);
};

/* A registered buffer and what is done with it. */
struct cp_chunk {
	struct rd_link link;
	struct cp_op op, op2;		/* op2: verify reads both sides at once */
	struct cp_job *job;
	char *buf;
	int index;
	off_t off;
	unsigned int len, done, done2;
	unsigned int pending;
	unsigned int from, to;		/* part that is written */
	bool end2;			/* the destination's end was seen */
};

struct cp_pump {
	struct ringd *rd;
	struct ringd_ring *ring;
	struct ringd_arena *arena;
	struct cp_chunk *chunks;
	struct rd_link free_chunks;
	struct rd_link waiting;		/* jobs that want a chunk */
	unsigned int chunk_size, n_chunks;
	unsigned int in_flight;
	int error;			/* the ring is gone */
};

/* Connect, make ring, buffers and a table of 2 * jobs slots; stx: room for one statx per job. Errors are told. */
int cp_pump_init(struct cp_pump *p, const struct cp_options *o, struct statx **stx);
void cp_pump_deinit(struct cp_pump *p);
/* An SQE for op, to be prepared by the caller; user_data and in_flight are set by cp_pump_arm() after that. */
struct ringd_sqe *cp_pump_sqe(struct cp_pump *p);
void cp_pump_arm(struct cp_pump *p, struct ringd_sqe *sqe, struct cp_op *op, void (*done)(struct cp_op *, int));
/* What is missing of a chunk, from the source into its buffer; copying and verifying. */
void cp_read_src(struct cp_chunk *c, void (*done)(struct cp_op *, int));
/* Submit, wait at most timeout_ms for a completion, run what completed. Return: 0, -ECONNRESET and the like. */
int cp_pump_turn(struct cp_pump *p, unsigned int timeout_ms);
/* A chunk, or NULL: then job is woken by job->feed() when one is free. */
struct cp_chunk *cp_pump_chunk(struct cp_pump *p, struct cp_job *job);
void cp_pump_chunk_release(struct cp_pump *p, struct cp_chunk *c);

/* --- a regular file: job.c --- */

struct cp_job {
	struct rd_link link;		/* free list or pump.waiting */
	struct rd_link active;		/* cp.active */
	struct cp *cp;
	unsigned int index;
	struct cp_entry e;
	struct statx *stx;		/* in the arena */
	struct stat st;			/* of the source */
	struct cp_op src_op, dst_op;
	unsigned int pending;		/* of these two */
	bool src_open, dst_open;	/* slots in use */
	bool created;			/* the destination (or tmp) is ours: removed on failure */
	bool claimed;			/* first of several hard links */
	bool direct, direct_failed;	/* verify: destination with O_DIRECT */
	bool stream;			/* size unknown: read until there is no more */
	int dst_fd;			/* own descriptor of the destination, if it was opened here */
	char tmp[40];			/* its name until it is complete, "" if it has the right one at once */
	int err;			/* first error: negative errno */
	const char *err_what;
	void (*feed)(struct cp_job *job);	/* start chunks as long as there are some */
	struct cp_extents extents, extents2;
	off_t start, end;		/* what is left of the current range */
	bool no_more;			/* ranges */
	bool data_over;			/* cp_job_data_done() was called */
	unsigned int chunks;		/* in flight */
	off_t eof;			/* the source ended here */
	off_t written_end;
};

int cp_job_start(struct cp *cp, struct cp_job *job, struct cp_entry *e);	/* e is moved from */
void cp_job_fail(struct cp_job *job, int err, const char *what);		/* the first counts */
/* All chunks are back: go on to closing. */
void cp_job_data_done(struct cp_job *job);
/* The ring is gone: remove what is half done, free. */
void cp_job_abandon(struct cp_job *job);
/* The next chunk-sized piece of the ranges; false: no more. */
bool cp_job_piece(struct cp_job *job, unsigned int max, off_t *off, unsigned int *len);
static inline int cp_job_src_slot(const struct cp_job *job) { return (int)(2 * job->index); }
static inline int cp_job_dst_slot(const struct cp_job *job) { return (int)(2 * job->index + 1); }

/* copy.c, verify.c: called when both files are open */
void cp_copy_begin(struct cp_job *job);
void cp_verify_begin(struct cp_job *job);
/* verify.c: compare what stat tells; false: told, nothing more to do with this file. */
bool cp_verify_stat(struct cp_job *job);
void cp_verify_dir(struct cp *cp, struct cp_dir *dir);
void cp_verify_special(struct cp *cp, const struct cp_entry *e);

/* --- meta.c --- */

/* Owner, xattrs, mode, times of st for fd; src_fd for xattrs or -1. Return: 0 or -errno, *what names the step. */
int cp_meta_apply(struct cp *cp, int fd, const struct stat *st, int src_fd, const char **what);
/* The same for what must not be opened: symlinks, FIFOs, devices. */
int cp_meta_apply_at(struct cp *cp, int dirfd, const char *name, const struct stat *st, const char **what);
/* What differs that was to be kept, NULL if nothing. src_fd, dst_fd: for xattrs or -1. */
const char *cp_meta_compare(const struct cp *cp, const struct stat *src, const struct stat *dst);
const char *cp_meta_compare_xattrs(int src_fd, int dst_fd);

/* --- special.c --- */

/* Copy a symlink, FIFO or device; errors are told. */
void cp_special_copy(struct cp *cp, const struct cp_entry *e, const struct stat *st);
/* A hard link, in place of what may be replaced. Return: 0 or -errno. */
int cp_special_link(int old_dirfd, const char *old_name, int dirfd, const char *name);
/*
 * May what stands at name be replaced by something that is no directory? 0: yes or nothing is there. -EISDIR,
 * -EEXIST (device, FIFO or socket), -ELOOP (it is the source itself: st).
 */
int cp_replaceable(int dirfd, const char *name, const struct stat *st);
void cp_tmp_name(char *buf, size_t size);

/* --- progress.c --- */

struct cp_progress {
	bool shown;			/* on a terminal */
	const char *verb;
	uint64_t bytes, files;		/* done */
	uint64_t total_bytes, total_files;	/* 0: not known */
	uint64_t started_ns, last_ns;
	bool on_screen;
};

void cp_progress_start(struct cp_progress *p, bool show, const char *verb);
/* Redraw if a fifth of a second has passed. */
void cp_progress_tick(struct cp_progress *p);
/* Take the line off the screen, for a message or for good. */
void cp_progress_clear(struct cp_progress *p);
/* One line of at most width - 1 columns. Return: its length. */
size_t cp_progress_format(char *buf, size_t size, unsigned int width, const struct cp_progress *p, uint64_t now_ns);
void cp_format_bytes(char *buf, size_t size, double bytes);
/* Sum up what there is to do; gives up (totals stay 0) when it takes longer than a second. */
void cp_progress_scan(struct cp_progress *p, const struct cp_options *o);

/* --- the run --- */

struct cp {
	struct cp_options o;
	enum cp_mode mode;
	struct cp_pump pump;
	struct cp_links links;
	struct cp_progress progress;
	struct cp_walk walk;
	struct cp_job *jobs;
	struct rd_link free_jobs, active;
	uint64_t errors;
	uint64_t opened_here;	/* files that the ring could not open, or should not */
	bool into_dst;		/* sources were copied into DST, which was a directory then: the comparison looks there */
	mode_t umask;
	bool no_direct;		/* the destination's file system refuses O_DIRECT */
};

extern volatile sig_atomic_t cp_stop;	/* signal that asks to end */

/* One pass over all sources in cp->mode. Return: 0, -ECONNRESET and the like (told), -EINTR. */
int cp_run(struct cp *cp);
/* Tell an error about path (NULL: no path) and count it. */
void cp_error(struct cp *cp, const char *path, const char *what, int err);
void cp_error_src(struct cp *cp, const struct cp_dir *dir, const char *name, const char *what, int err);
void cp_error_dst(struct cp *cp, const struct cp_dir *dir, const char *name, const char *what, int err);
/* Not an error: nothing is counted. */
void cp_warn_src(struct cp *cp, const struct cp_dir *dir, const char *name, const char *what);

#endif
