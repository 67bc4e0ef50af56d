/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam between the engine and where it lives. A host gives a ring five things: client memory, files, new
 * descriptors for the client, wake-ups, identity. Nothing above this header knows a socket, a pid or an arena.
 * All calls are made on the thread that drives the reactor, unless said otherwise.
 */
#ifndef RD_HOST_H
#define RD_HOST_H

#include <stdbool.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rd_ctx;
struct rd_fds;
struct rd_file;
struct rd_host;
struct rd_req;
struct rd_ring;

/* Client memory that a request or a registered buffer still needs. Counted on the owner thread only. */
struct rd_mem {
	uint32_t refs;
	void (*release)(struct rd_mem *mem);	/* last reference gone */
};

static inline struct rd_mem *rd_mem_get(struct rd_mem *mem)
{
	if (mem)
		mem->refs++;
	return mem;
}

static inline struct rd_mem *rd_mem_put(struct rd_mem *mem)
{
	if (mem && --mem->refs == 0)
		mem->release(mem);
	return NULL;
}

/*
 * For the client: one descriptor; two, whose numbers are stored at addr; (n 0) two numbers that are stored there; or (rights)
 * what a message brought, whose numbers are stored at addr, behind the head of a control message.
 */
struct rd_newfds {
	struct rd_file *files[2];
	uint32_t n;
	bool cloexec;
	uint64_t addr;		/* client's, of two 32-bit integers, or as many as rights has */
	int32_t numbers[2];
	struct rd_fds *rights;
	uint64_t msg_flags;	/* rights: where the client's flags of the message are, which are told when not all got a number */
	int32_t res;		/* rights: of the CQE */
};

struct rd_host_ops {
	/*
	 * Where [addr, addr + len) of the client's data memory is in ours, or NULL when any byte of it is not. len
	 * is not 0. *owner (may come back NULL: lives as long as the host) must be held with rd_mem_get() by whoever
	 * uses the pointer after the current visit.
	 */
	void *(*map)(struct rd_host *host, uint64_t addr, uint64_t len, struct rd_mem **owner);
	/* Is it all there, to be written to, for a buffer that is to be used for long? 0 or -EFAULT. NULL: map() has said so. */
	int (*pin)(struct rd_host *host, uint64_t addr, uint64_t len);
	/* Copy small inputs (iovecs, open_how) in, each byte read once. 0 or -EFAULT. */
	int (*copy_in)(struct rd_host *host, void *dst, uint64_t addr, size_t len);
	/* Copy small results out, into data memory. 0 or -EFAULT. */
	int (*copy_out)(struct rd_host *host, uint64_t addr, const void *src, size_t len);
	/* Copy a string of less than size bytes in. Its length, -EFAULT, or -ENAMETOOLONG. dst is terminated on success. */
	ssize_t (*copy_str)(struct rd_host *host, char *dst, uint64_t addr, size_t size);
	/* What an fd number of the client means: a new reference, or -EBADF. */
	int (*file)(struct rd_host *host, int fd, struct rd_file **ret);
	/* The same for a table, which has it for longer than any request. NULL: there is only file(); see rd_host_keep(). */
	int (*keep)(struct rd_host *host, int fd, struct rd_file **ret);
	/*
	 * The same for an attempt that is over when it returns: its descriptor is the client's own (RD_FILE_BORROWED), which may be
	 * gone afterwards. Who goes on with it then asks file() for one to keep. kinds: RD_FILE_*; what was one of them some time
	 * ago is taken to be one still, since whoever uses it is told by the kernel when it is not. NULL: there is only file().
	 */
	int (*borrow)(struct rd_host *host, int fd, uint32_t kinds, struct rd_file **ret);
	/* The kernel has said something that makes one doubt a borrowed file. True: it is not what it seemed to be. */
	bool (*doubt)(struct rd_host *host, struct rd_file *file);
	/* Of a descriptor that is an epoll set to the kernel: what else it is ready for, EPOLL*. NULL: nothing, ever. */
	uint32_t (*ready)(struct rd_host *host, int fd);
	/* Would a worker do it with the rights, directories and umask of the calling thread? NULL: yes. */
	bool (*alike)(struct rd_host *host);
	/* Can a request be made as this personality of its ring? 0, -EPERM. NULL: they are all the same. */
	int (*may_be)(struct rd_host *host, struct rd_ctx *ctx, uint16_t id);
	/* The client's process, as messages name it. NULL: it is not known. */
	int32_t (*pid)(struct rd_host *host);
	/* Descriptor to resolve relative paths of dirfd against: >= 0, AT_FDCWD, or -EBADF, -EPERM. Stays the host's and
	 * open until the request that asked is finished. */
	int (*dirfd)(struct rd_host *host, int dirfd, struct rd_mem **owner);
	/* Could the client be given a descriptor? 0, -EOPNOTSUPP. */
	int (*can_install)(struct rd_host *host);
	/*
	 * What a request has made for the client: n files become descriptors of it, the references are taken over, and so are
	 * rights. RD_DONE: req->res and cflags are what the CQE says: the number (n 1), 0 (n 2, n 0), res (rights), or -EMFILE,
	 * -EFAULT, ...; or RD_PENDING: the request waits until it can be told.
	 */
	int (*install)(struct rd_host *host, struct rd_req *req, const struct rd_newfds *new);
	/* Close one of the client's descriptors: RD_DONE with req->res (-EBADF), or RD_PENDING. */
	int (*close)(struct rd_host *host, struct rd_req *req, int fd);
	/* op->cancel of a request that waits in install() or close(). */
	int (*install_cancel)(struct rd_host *host, struct rd_req *req);
	/* What a number means where a ring is wanted: borrowed for this call. -EBADF; -EBADFD: no ring, or not any more. */
	int (*ring)(struct rd_host *host, int fd, struct rd_ctx **ret);
	/*
	 * waitid() with WNOHANG on the client's children: 0 and *info (si_pid 0: nothing yet), or a negative errno. NULL: the
	 * client has none here.
	 */
	int (*waitid)(struct rd_host *host, int type, int32_t id, siginfo_t *info, int options);
	/* The wait word of this ring asks for a wake-up and its target is reached. Never blocks. */
	void (*wake)(struct rd_host *host, struct rd_ring *ring);
	/* The ring was ended (RINGD_REASON_*): tell the client. The ring still exists. */
	void (*ring_dead)(struct rd_host *host, struct rd_ring *ring, uint32_t reason);
	/* The last request of a ended ring is gone; ring was freed, its memory may be unmapped now. */
	void (*ring_gone)(struct rd_host *host, struct rd_ring *ring);
};

struct rd_host {
	const struct rd_host_ops *ops;
};

static inline int rd_host_keep(struct rd_host *host, int fd, struct rd_file **ret)
{
	return host->ops->keep ? host->ops->keep(host, fd, ret) : host->ops->file(host, fd, ret);
}

#endif
