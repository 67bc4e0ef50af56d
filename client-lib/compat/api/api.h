/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * liburing's exported functions, with the types of proto/abi.h: pointers to the same bytes under our names. No program sees
 * this header, each has its own liburing.h. All that can fail returns a negative errno and leaves errno alone.
 */
#ifndef RINGD_COMPAT_API_H
#define RINGD_COMPAT_API_H

#include <sched.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "client-lib/compat/api/uring.h"

#define RD_URING_MAJOR	2
#define RD_URING_MINOR	15

/* Everything else is hidden: that, and not a "local: *", lets the libraries export functions outside the version nodes. */
#pragma GCC visibility push(default)

/* calls.c */
int io_uring_setup(unsigned int entries, struct ringd_params *p);
int io_uring_enter(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, sigset_t *sig);
int io_uring_enter2(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, void *arg,
		    size_t sz);
int io_uring_register(unsigned int fd, unsigned int opcode, const void *arg, unsigned int nr_args);
int io_uring_major_version(void);
int io_uring_minor_version(void);
bool io_uring_check_version(int major, int minor);

/* setup.c, sizes.c */
int io_uring_queue_init(unsigned int entries, struct rd_uring *ring, unsigned int flags);
int io_uring_queue_init_params(unsigned int entries, struct rd_uring *ring, struct ringd_params *p);
int io_uring_queue_init_mem(unsigned int entries, struct rd_uring *ring, struct ringd_params *p, void *buf, size_t buf_size);
int io_uring_queue_mmap(int fd, struct ringd_params *p, struct rd_uring *ring);
int io_uring_ring_dontfork(struct rd_uring *ring);
void io_uring_queue_exit(struct rd_uring *ring);
ssize_t io_uring_mlock_size(unsigned int entries, unsigned int flags);
ssize_t io_uring_mlock_size_params(unsigned int entries, struct ringd_params *p);
ssize_t io_uring_memory_size(unsigned int entries, unsigned int flags);
ssize_t io_uring_memory_size_params(unsigned int entries, struct ringd_params *p);
int io_uring_resize_rings(struct rd_uring *ring, struct ringd_params *p);

/* submit.c */
struct ringd_sqe *io_uring_get_sqe(struct rd_uring *ring);
int io_uring_submit(struct rd_uring *ring);
int io_uring_submit_and_wait(struct rd_uring *ring, unsigned int wait_nr);
int io_uring_submit_and_get_events(struct rd_uring *ring);
int io_uring_get_events(struct rd_uring *ring);
int io_uring_set_iowait(struct rd_uring *ring, bool enable_iowait);
int __io_uring_sqring_wait(struct rd_uring *ring);

/* wait.c */
int __io_uring_get_cqe(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int submit, unsigned int wait_nr,
		       sigset_t *sigmask);
unsigned int io_uring_peek_batch_cqe(struct rd_uring *ring, struct ringd_cqe **cqes, unsigned int count);
int io_uring_wait_cqes(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr, struct ringd_timespec *ts,
		       sigset_t *sigmask);
int io_uring_wait_cqes_min_timeout(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr,
				   struct ringd_timespec *ts, unsigned int min_wait_usec, sigset_t *sigmask);
int io_uring_wait_cqe_timeout(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, struct ringd_timespec *ts);
int io_uring_submit_and_wait_timeout(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr,
				     struct ringd_timespec *ts, sigset_t *sigmask);
int io_uring_submit_and_wait_min_timeout(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr,
					 struct ringd_timespec *ts, unsigned int min_wait, sigset_t *sigmask);
int io_uring_submit_and_wait_reg(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr, int reg_index);

/* register.c */
int io_uring_register_eventfd(struct rd_uring *ring, int fd);
int io_uring_register_eventfd_async(struct rd_uring *ring, int fd);
int io_uring_unregister_eventfd(struct rd_uring *ring);
int io_uring_register_probe(struct rd_uring *ring, struct ringd_probe *p, unsigned int nr);
struct ringd_probe *io_uring_get_probe_ring(struct rd_uring *ring);
struct ringd_probe *io_uring_get_probe(void);
void io_uring_free_probe(struct ringd_probe *probe);
int io_uring_register_personality(struct rd_uring *ring);
int io_uring_unregister_personality(struct rd_uring *ring, int id);
int io_uring_register_restrictions(struct rd_uring *ring, struct ringd_restriction *res, unsigned int nr_res);
int io_uring_enable_rings(struct rd_uring *ring);
int io_uring_register_iowq_aff(struct rd_uring *ring, size_t cpusz, const cpu_set_t *mask);
int io_uring_unregister_iowq_aff(struct rd_uring *ring);
int io_uring_register_iowq_max_workers(struct rd_uring *ring, unsigned int *values);
int io_uring_register_sync_cancel(struct rd_uring *ring, struct ringd_sync_cancel_reg *reg);
int io_uring_register_sync_msg(struct ringd_sqe *sqe);
int io_uring_register_napi(struct rd_uring *ring, struct ringd_napi *napi);
int io_uring_unregister_napi(struct rd_uring *ring, struct ringd_napi *napi);
int io_uring_register_clock(struct rd_uring *ring, struct ringd_clock_register *arg);
int io_uring_register_region(struct rd_uring *ring, struct ringd_mem_region_reg *reg);
int io_uring_register_wait_reg(struct rd_uring *ring, struct ringd_reg_wait *reg, int nr);
int io_uring_register_ifq(struct rd_uring *ring, struct ringd_zcrx_ifq_reg *reg);
int io_uring_register_zcrx_ctrl(struct rd_uring *ring, struct ringd_zcrx_ctrl *ctrl);
int io_uring_register_bpf_filter(struct rd_uring *ring, struct ringd_bpf *bpf);
int io_uring_register_bpf_filter_task(struct ringd_bpf *bpf);
int io_uring_register_query(struct ringd_query_hdr *query);

/* ringfd.c */
int io_uring_register_ring_fd(struct rd_uring *ring);
int io_uring_unregister_ring_fd(struct rd_uring *ring);
int io_uring_close_ring_fd(struct rd_uring *ring);

/* bufring.c */
int io_uring_register_buf_ring(struct rd_uring *ring, struct ringd_buf_reg *reg, unsigned int flags);
int io_uring_unregister_buf_ring(struct rd_uring *ring, int bgid);
int io_uring_buf_ring_head(struct rd_uring *ring, int buf_group, uint16_t *head);
struct ringd_buf_ring *io_uring_setup_buf_ring(struct rd_uring *ring, unsigned int nentries, int bgid, unsigned int flags,
					       int *err);
int io_uring_free_buf_ring(struct rd_uring *ring, struct ringd_buf_ring *br, unsigned int nentries, int bgid);

/* rsrc.c */
int io_uring_register_buffers(struct rd_uring *ring, const struct iovec *iovecs, unsigned int nr_iovecs);
int io_uring_register_buffers_tags(struct rd_uring *ring, const struct iovec *iovecs, const uint64_t *tags, unsigned int nr);
int io_uring_register_buffers_sparse(struct rd_uring *ring, unsigned int nr);
int io_uring_register_buffers_update_tag(struct rd_uring *ring, unsigned int off, const struct iovec *iovecs,
					 const uint64_t *tags, unsigned int nr);
int io_uring_unregister_buffers(struct rd_uring *ring);
int io_uring_clone_buffers(struct rd_uring *dst, struct rd_uring *src);
int __io_uring_clone_buffers(struct rd_uring *dst, struct rd_uring *src, unsigned int flags);
int io_uring_clone_buffers_offset(struct rd_uring *dst, struct rd_uring *src, unsigned int dst_off, unsigned int src_off,
				  unsigned int nr, unsigned int flags);
int __io_uring_clone_buffers_offset(struct rd_uring *dst, struct rd_uring *src, unsigned int dst_off, unsigned int src_off,
				    unsigned int nr, unsigned int flags);
int io_uring_register_files(struct rd_uring *ring, const int *files, unsigned int nr_files);
int io_uring_register_files_tags(struct rd_uring *ring, const int *files, const uint64_t *tags, unsigned int nr);
int io_uring_register_files_sparse(struct rd_uring *ring, unsigned int nr);
int io_uring_register_files_update(struct rd_uring *ring, unsigned int off, const int *files, unsigned int nr_files);
int io_uring_register_files_update_tag(struct rd_uring *ring, unsigned int off, const int *files, const uint64_t *tags,
				       unsigned int nr_files);
int io_uring_unregister_files(struct rd_uring *ring);
int io_uring_register_file_alloc_range(struct rd_uring *ring, unsigned int off, unsigned int len);

#pragma GCC visibility pop

#endif
