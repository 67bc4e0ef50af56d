/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program's descriptors. What is done before a call returns is done with the program's own number, and to know what that is costs
 * as much as a short read; so what it was is remembered. A regular file (for reads and writes) or a socket (for sends and
 * receives) is believed to be one still, because the kernel says so when it is not; of all others it is asked once in a
 * submission. What goes on after the call has a duplicate, which is closed before the CQE can be seen.
 *
 * But when a process closes any descriptor of a file it loses its POSIX record locks on it. So a regular file that has locks, and
 * every one where we hear of each close(), is not duplicated but lent: the number itself is used, and duplicated only when
 * the program closes it (which costs it the locks anyway). As long as it is lent it is not looked at again. A duplicate of
 * what has got locks meanwhile is parked until they are gone.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "daemon/engine/engine.h"
#include "process.h"

#define LOOK_AGAIN	256u	/* uses without a look */
#define OTHERS		32	/* descriptors of ours, about, besides the duplicates */

static struct rd_local_host *from_host(struct rd_host *host)
{
	return RD_CONTAINER_OF(host, struct rd_local_host, host);
}

/* --- duplicates --- */

/* Beyond what the program may have open, where it does not miss the number. The limit is back before anybody asks for it. */
static int dup_beyond(int fd)
{
	struct rlimit old, more;
	int high = -1, err;

	if (getrlimit(RLIMIT_NOFILE, &old) < 0 || old.rlim_cur >= old.rlim_max)
		return -EMFILE;
	more = old;
	more.rlim_cur = RD_MIN(old.rlim_max, old.rlim_cur + 65536);
	if (setrlimit(RLIMIT_NOFILE, &more) < 0)
		return -EMFILE;
	high = fcntl(fd, F_DUPFD_CLOEXEC, (int)old.rlim_cur);
	err = -errno;
	(void)setrlimit(RLIMIT_NOFILE, &old);
	return high < 0 ? err : high;
}

/* Up there, as long as the program has not come there itself. */
static int dup_below(const struct rd_local_host *h, int fd)
{
	int r;

	if (!rd_private_fd_min)
		return -EMFILE;
	r = fcntl(fd, F_DUPFD_CLOEXEC, rd_private_fd_min);
	if (r < 0)
		return -errno;
	if (r - rd_private_fd_min < (int)h->files.dups + OTHERS)
		return r;
	rd_close(r);
	return -EMFILE;
}

int rd_local_dup_high(struct rd_local_host *h, int fd)
{
	int r = dup_below(h, fd);

	if (r == -EMFILE || r == -EINVAL)
		r = dup_beyond(fd);
	if (r < 0 && r != -EBADF) {
		r = rd_private_dup(fd);		/* that one is known already, and twice would be a number taken from us */
		return r < 0 ? -errno : r;
	}
	return r < 0 ? r : rd_private_fd(r);	/* known as one of ours */
}

/*
 * Has anybody record locks on it? Whose they are cannot be told when there are several. A file system that a process serves is not asked, which
 * may be this one.
 */
static bool has_locks(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

static void close_parked(struct rd_local_files *f)
{
	for (unsigned int i = f->n_parked; i-- > 0;) {
		if (has_locks(f->parked[i]))
			continue;
		rd_close(f->parked[i]);
		f->parked[i] = f->parked[--f->n_parked];
	}
}

static void lent_forget(struct rd_local_files *f, const struct rd_file *file)
{
	unsigned int n = atomic_load_explicit(&f->n_lent, memory_order_relaxed);
	struct rd_local_file *lf = &f->slots[(unsigned int)file->fd & (RD_LOCAL_FILES - 1)];

	if (lf->lent == file)
		lf->lent = NULL;
	for (unsigned int i = 0; i < n; i++) {
		if (f->lent[i] != file)
			continue;
		f->lent[i] = f->lent[n - 1];
		atomic_store_explicit(&f->n_lent, n - 1, memory_order_relaxed);
		return;
	}
}

bool rd_local_let_go(struct rd_engine *engine, struct rd_file *file)
{
	struct rd_local_host *h = engine->local;
	struct rd_local_files *f = &h->files;

	if (file->flags & RD_FILE_LENT) {
		lent_forget(f, file);
		return true;
	}
	f->dups--;
	for (unsigned int i = 0; i < RD_LOCAL_FILES; i++) {
		if (f->slots[i].dup == file)
			f->slots[i].dup = NULL;
	}
	if (f->n_parked)
		close_parked(f);
	if ((file->flags & (RD_FILE_REG | RD_FILE_SLOW)) != RD_FILE_REG || f->n_parked == RD_LOCAL_PARKED || !has_locks(file->fd))
		return false;
	f->parked[f->n_parked++] = file->fd;
	return true;
}

/* --- what a number means --- */

static bool look(int fd, struct statx *st)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, st) == 0;
}

static bool is_same(const struct rd_local_file *lf, const struct statx *st)
{
	return lf->ino == st->stx_ino && lf->dev_major == st->stx_dev_major && lf->dev_minor == st->stx_dev_minor &&
	       lf->mode == st->stx_mode && lf->rdev_major == st->stx_rdev_major && lf->rdev_minor == st->stx_rdev_minor;
}

/* Anonymous inodes are all one. */
static bool tells_apart(const struct statx *st)
{
	return st->stx_mode & S_IFMT;
}

static void disown(struct rd_local_files *f, struct rd_local_file *lf)
{
	f->owned &= ~(1ull << (lf - f->slots));
	if (lf->owned)
		rd_file_put(rd_steal_ptr(&lf->owned));
}

static int learn(struct rd_local_host *h, struct rd_local_file *lf, int fd, const struct statx *st)
{
	struct rd_file *file = &lf->file;
	int r;

	disown(&h->files, lf);
	file->fd = -1;
	r = rd_file_learn(file, fd, st);
	if (r < 0 || (file->flags & RD_FILE_PATH))
		return r < 0 ? r : -EBADF;
	file->flags |= RD_FILE_BORROWED;
	file->heat = 0;
	file->zc = RD_FILE_ZC_UNKNOWN;
	file->fd = fd;
	lf->ino = st->stx_ino;
	lf->dev_major = st->stx_dev_major;
	lf->dev_minor = st->stx_dev_minor;
	lf->rdev_major = st->stx_rdev_major;
	lf->rdev_minor = st->stx_rdev_minor;
	lf->mode = st->stx_mode;
	lf->lent = lf->dup = NULL;
	lf->uses = 0;
	lf->visit = h->files.visit;
	return 0;
}

/* Look at it now. 1: it is what it was. A file that is in use cannot become another one. */
static int look_again(struct rd_local_host *h, struct rd_local_file *lf, int fd)
{
	struct statx st;
	bool direct;

	if (!look(fd, &st)) {
		if (lf->file.fd == fd) {
			disown(&h->files, lf);
			lf->file.fd = -1;
		}
		return -errno;
	}
	if (lf->file.fd == fd && is_same(lf, &st) && tells_apart(&st)) {
		/* the one thing that fcntl() may have changed */
		direct = (lf->file.flags & RD_FILE_REG) && (fcntl(fd, F_GETFL) & O_DIRECT);
		if (direct == !!(lf->file.flags & RD_FILE_DIRECT)) {
			lf->visit = h->files.visit;
			lf->uses = 0;
			return 1;
		}
	}
	return learn(h, lf, fd, &st);
}

static struct rd_local_file *slot_of(struct rd_local_host *h, int fd)
{
	return &h->files.slots[(unsigned int)fd & (RD_LOCAL_FILES - 1)];
}

static bool is_certain(const struct rd_local_files *f, const struct rd_local_file *lf)
{
	return f->visiting && lf->visit == f->visit;
}

int rd_local_borrow(struct rd_host *host, int fd, uint32_t kinds, struct rd_file **ret)
{
	struct rd_local_host *h = from_host(host);
	struct rd_local_file *lf = slot_of(h, fd);
	int r;

	if (RD_UNLIKELY(fd < 0))
		return -EBADF;
	if (RD_LIKELY(lf->file.fd == fd) &&
	    (((lf->file.flags & kinds) && ++lf->uses < LOOK_AGAIN) || is_certain(&h->files, lf))) {
		lf->file.node.refs++;
		*ret = &lf->file;
		return 0;
	}
	/* another number of this slot's, for a moment */
	if (RD_UNLIKELY(lf->file.node.refs > 1))
		return rd_local_file(host, fd, ret);
	r = look_again(h, lf, fd);
	if (r < 0)
		return r;
	lf->file.node.refs++;
	*ret = &lf->file;
	return 0;
}

bool rd_local_doubt(struct rd_host *host, struct rd_file *file)
{
	struct rd_local_host *h = from_host(host);
	struct rd_local_file *lf = RD_CONTAINER_OF(file, struct rd_local_file, file);

	return !is_certain(&h->files, lf) && look_again(h, lf, file->fd) != 1;
}

/* --- for longer --- */

/* lend: its own number will do. */
static int make(struct rd_local_host *h, int fd, const struct rd_file *known, bool lend, struct rd_file **ret)
{
	struct rd_local_files *f = &h->files;
	unsigned int n = atomic_load_explicit(&f->n_lent, memory_order_relaxed);
	uint32_t flags = known->flags & ~RD_FILE_BORROWED;
	struct rd_file *file;
	int r = rd_file_reserve(&file, h->engine), own = fd;

	if (r < 0)
		return r;
	if (lend && (flags & RD_FILE_REG) && n < RD_LOCAL_LENT && (h->hears || (flags & RD_FILE_SLOW) || has_locks(fd))) {
		flags |= RD_FILE_LENT;
		f->lent[n] = file;
		atomic_store_explicit(&f->n_lent, n + 1, memory_order_relaxed);
	} else {
		own = rd_local_dup_high(h, fd);
		if (own < 0) {
			rd_file_unreserve(file);
			return own;
		}
		flags |= RD_FILE_DUP;
		f->dups++;
	}
	rd_file_fill(file, own, flags);
	file->hash = known->hash;
	*ret = file;
	return 0;
}

/* Of what is not remembered. */
static int make_alone(struct rd_local_host *h, int fd, bool lend, struct rd_file **ret)
{
	struct rd_file known = { .engine = h->engine };
	struct statx st;
	int r = look(fd, &st) ? rd_file_learn(&known, fd, &st) : -errno;

	if (known.flags & RD_FILE_PATH)
		return -EBADF;
	return r < 0 ? r : make(h, fd, &known, lend, ret);
}

/* Borrowed at this moment: who could not finish with it has found that it is a socket, or it would not ask for one to keep. */
static bool just_used(const struct rd_local_file *lf)
{
	return lf->file.node.refs > 1 && (lf->file.flags & RD_FILE_SOCK);
}

/*
 * The requests that wait for a socket share one duplicate, whichever calls they came with: of a file that was added more than a
 * hundred times, each time as another descriptor, an epoll instance inside others takes no more.
 */
static bool has_dup(const struct rd_local_files *f, const struct rd_local_file *lf, int fd)
{
	struct statx st;

	if (!lf->dup || lf->file.fd != fd)
		return false;
	return is_certain(f, lf) || (look(fd, &st) && is_same(lf, &st));
}

int rd_local_file(struct rd_host *host, int fd, struct rd_file **ret)
{
	struct rd_local_host *h = from_host(host);
	struct rd_local_files *f = &h->files;
	struct rd_local_file *lf = slot_of(h, fd);
	int r = 0;

	if (fd < 0)
		return -EBADF;
	rd_local_ringfd_watch(fd);	/* who polls a ring by way of another */
	if (lf->lent && lf->lent->fd == fd && h->hears) {
		*ret = rd_file_get(lf->lent);
		return 0;
	}
	if (has_dup(f, lf, fd)) {
		*ret = rd_file_get(lf->dup);
		return 0;
	}
	if (lf->file.fd != fd && lf->file.node.refs > 1)
		return make_alone(h, fd, true, ret);
	if (lf->file.fd != fd || !(is_certain(f, lf) || just_used(lf)))
		r = look_again(h, lf, fd);
	if (r < 0)
		return r;
	if (lf->owned) {
		*ret = rd_file_get(lf->owned);
		return 0;
	}
	r = make(h, fd, &lf->file, true, ret);
	if (r == 0 && ((*ret)->flags & RD_FILE_LENT))
		lf->lent = *ret;
	else if (r == 0 && (lf->file.flags & RD_FILE_SOCK))
		lf->dup = *ret;
	if (r == 0 && f->visiting) {
		lf->owned = rd_file_get(*ret);
		f->owned |= 1ull << (lf - f->slots);
	}
	return r;
}

int rd_local_keep(struct rd_host *host, int fd, struct rd_file **ret)
{
	/* never lent: the program may well close it, which is then in the table all the same */
	return fd < 0 ? -EBADF : make_alone(from_host(host), fd, false, ret);
}

void rd_local_files_begin(struct rd_local_host *h)
{
	h->files.visit++;
	h->files.visiting = true;
}

void rd_local_files_end(struct rd_local_host *h)
{
	struct rd_local_files *f = &h->files;

	f->visiting = false;
	if (RD_UNLIKELY(h->start))
		rd_local_dirfd_drop(h);
	while (RD_UNLIKELY(f->owned))
		disown(f, &f->slots[__builtin_ctzll(f->owned)]);
}

/* --- the program closes it --- */

static void give_back(struct rd_local_host *h, struct rd_file *file)
{
	struct rd_local_file *lf = slot_of(h, file->fd);
	int own = rd_local_dup_high(h, file->fd);

	if (lf->lent == file)
		lf->lent = NULL;	/* the number means another one now */
	if (own < 0)
		return;		/* who uses it from now on is told that there is none */
	__atomic_store_n(&file->fd, own, __ATOMIC_RELAXED);	/* a worker may be about to use it */
	file->flags = (file->flags & ~RD_FILE_LENT) | RD_FILE_DUP;
	h->files.dups++;
	lent_forget(&h->files, file);
}

void rd_local_files_closing(struct rd_local_host *h, int fd)
{
	struct rd_local_files *f = &h->files;
	struct rd_local_file *lf = slot_of(h, fd);

	if (fd < 0)
		return;
	if (lf->file.fd == fd) {
		disown(f, lf);
		lf->file.fd = -1;
		lf->dup = NULL;
	}
	for (unsigned int i = atomic_load_explicit(&f->n_lent, memory_order_relaxed); i-- > 0;) {
		if (f->lent[i]->fd == fd)
			give_back(h, f->lent[i]);
	}
}

void rd_local_files_init(struct rd_local_files *f, struct rd_engine *engine)
{
	const unsigned int n = f->n_parked;
	int parked[RD_LOCAL_PARKED];

	/* an engine before this one may have left some */
	memcpy(parked, f->parked, sizeof(parked));
	memset(f, 0, sizeof(*f));
	memcpy(f->parked, parked, sizeof(parked));
	f->n_parked = n;
	for (unsigned int i = 0; i < RD_LOCAL_FILES; i++) {
		struct rd_file *file = &f->slots[i].file;

		file->node.refs = 1;
		file->fd = -1;
		file->engine = engine;
		rd_watched_init(&file->watched);
	}
}
