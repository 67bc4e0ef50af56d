/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions that are inline in liburing's header, as symbols of liburing-ffi.so.2: for languages that cannot compile
 * the header. The prep functions only write what belongs to their operation; io_uring_get_sqe() has cleared the rest.
 */
#ifndef RINGD_COMPAT_FFI_H
#define RINGD_COMPAT_FFI_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "client-lib/compat/api/api.h"

struct epoll_event;
struct futex_waitv;
struct open_how;
struct statx;

#pragma GCC visibility push(default)

/* ffi_ring.c */
int io_uring_opcode_supported(const struct ringd_probe *p, int op);
void io_uring_cq_advance(struct rd_uring *ring, unsigned int nr);
void io_uring_cqe_seen(struct rd_uring *ring, struct ringd_cqe *cqe);
unsigned int io_uring_cqe_nr(const struct ringd_cqe *cqe);
void *io_uring_cqe_get_data(const struct ringd_cqe *cqe);
uint64_t io_uring_cqe_get_data64(const struct ringd_cqe *cqe);
void io_uring_sqe_set_data(struct ringd_sqe *sqe, void *data);
void io_uring_sqe_set_data64(struct ringd_sqe *sqe, uint64_t data);
void io_uring_sqe_set_flags(struct ringd_sqe *sqe, unsigned int flags);
void io_uring_sqe_set_buf_group(struct ringd_sqe *sqe, int bgid);
unsigned int io_uring_sq_ready(const struct rd_uring *ring);
unsigned int io_uring_sq_space_left(const struct rd_uring *ring);
int io_uring_sqring_wait(struct rd_uring *ring);
struct ringd_sqe *io_uring_get_sqe128(struct rd_uring *ring);
unsigned int io_uring_cq_ready(const struct rd_uring *ring);
bool io_uring_cq_has_overflow(const struct rd_uring *ring);
bool io_uring_cq_eventfd_enabled(const struct rd_uring *ring);
int io_uring_cq_eventfd_toggle(struct rd_uring *ring, bool enabled);
int io_uring_wait_cqe_nr(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr);
int io_uring_peek_cqe(struct rd_uring *ring, struct ringd_cqe **cqe_ptr);
int io_uring_wait_cqe(struct rd_uring *ring, struct ringd_cqe **cqe_ptr);
int io_uring_buf_ring_mask(uint32_t ring_entries);
void io_uring_buf_ring_init(struct ringd_buf_ring *br);
void io_uring_buf_ring_add(struct ringd_buf_ring *br, void *addr, unsigned int len, unsigned short bid, int mask,
			   int buf_offset);
void io_uring_buf_ring_advance(struct ringd_buf_ring *br, int count);
void __io_uring_buf_ring_cq_advance(struct rd_uring *ring, struct ringd_buf_ring *br, int cq_count, int buf_count);
void io_uring_buf_ring_cq_advance(struct rd_uring *ring, struct ringd_buf_ring *br, int count);
int io_uring_buf_ring_available(struct rd_uring *ring, struct ringd_buf_ring *br, unsigned short bgid);

/* ffi_recvmsg.c */
struct ringd_recvmsg_out *io_uring_recvmsg_validate(void *buf, int buf_len, struct msghdr *msgh);
void *io_uring_recvmsg_name(struct ringd_recvmsg_out *o);
struct cmsghdr *io_uring_recvmsg_cmsg_firsthdr(struct ringd_recvmsg_out *o, struct msghdr *msgh);
struct cmsghdr *io_uring_recvmsg_cmsg_nexthdr(struct ringd_recvmsg_out *o, struct msghdr *msgh, struct cmsghdr *cmsg);
void *io_uring_recvmsg_payload(struct ringd_recvmsg_out *o, struct msghdr *msgh);
unsigned int io_uring_recvmsg_payload_length(struct ringd_recvmsg_out *o, int buf_len, struct msghdr *msgh);

/* ffi_rw.c */
void io_uring_prep_rw(int op, struct ringd_sqe *sqe, int fd, const void *addr, unsigned int len, uint64_t offset);
void io_uring_prep_readv(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs, uint64_t offset);
void io_uring_prep_readv2(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs, uint64_t offset,
			  int flags);
void io_uring_prep_readv_fixed(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs,
			       uint64_t offset, int flags, int buf_index);
void io_uring_prep_read(struct ringd_sqe *sqe, int fd, void *buf, unsigned int nbytes, uint64_t offset);
void io_uring_prep_read_fixed(struct ringd_sqe *sqe, int fd, void *buf, unsigned int nbytes, uint64_t offset, int buf_index);
void io_uring_prep_read_multishot(struct ringd_sqe *sqe, int fd, unsigned int nbytes, uint64_t offset, int buf_group);
void io_uring_prep_writev(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs, uint64_t offset);
void io_uring_prep_writev2(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs, uint64_t offset,
			   int flags);
void io_uring_prep_writev_fixed(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs,
				uint64_t offset, int flags, int buf_index);
void io_uring_prep_write(struct ringd_sqe *sqe, int fd, const void *buf, unsigned int nbytes, uint64_t offset);
void io_uring_prep_write_fixed(struct ringd_sqe *sqe, int fd, const void *buf, unsigned int nbytes, uint64_t offset,
			       int buf_index);
void io_uring_prep_splice(struct ringd_sqe *sqe, int fd_in, int64_t off_in, int fd_out, int64_t off_out, unsigned int nbytes,
			  unsigned int splice_flags);
void io_uring_prep_tee(struct ringd_sqe *sqe, int fd_in, int fd_out, unsigned int nbytes, unsigned int splice_flags);
void io_uring_prep_fsync(struct ringd_sqe *sqe, int fd, unsigned int fsync_flags);
void io_uring_prep_sync_file_range(struct ringd_sqe *sqe, int fd, unsigned int len, uint64_t offset, int flags);
void io_uring_prep_fallocate(struct ringd_sqe *sqe, int fd, int mode, uint64_t offset, uint64_t len);
void io_uring_prep_ftruncate(struct ringd_sqe *sqe, int fd, off64_t len);
void io_uring_prep_fadvise(struct ringd_sqe *sqe, int fd, uint64_t offset, uint32_t len, int advice);
void io_uring_prep_fadvise64(struct ringd_sqe *sqe, int fd, uint64_t offset, off_t len, int advice);
void io_uring_prep_madvise(struct ringd_sqe *sqe, void *addr, uint32_t length, int advice);
void io_uring_prep_madvise64(struct ringd_sqe *sqe, void *addr, off_t length, int advice);
void io_uring_prep_provide_buffers(struct ringd_sqe *sqe, void *addr, int len, int nr, int bgid, int bid);
void io_uring_prep_remove_buffers(struct ringd_sqe *sqe, int nr, int bgid);

/* ffi_net.c */
void io_uring_prep_accept(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags);
void io_uring_prep_accept_direct(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags,
				 unsigned int file_index);
void io_uring_prep_multishot_accept(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags);
void io_uring_prep_multishot_accept_direct(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen,
					   int flags);
void io_uring_prep_connect(struct ringd_sqe *sqe, int fd, const struct sockaddr *addr, socklen_t addrlen);
void io_uring_prep_bind(struct ringd_sqe *sqe, int fd, const struct sockaddr *addr, socklen_t addrlen);
void io_uring_prep_listen(struct ringd_sqe *sqe, int fd, int backlog);
void io_uring_prep_shutdown(struct ringd_sqe *sqe, int fd, int how);
void io_uring_prep_socket(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int flags);
void io_uring_prep_socket_direct(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int file_index,
				 unsigned int flags);
void io_uring_prep_socket_direct_alloc(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int flags);
void io_uring_prep_send(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags);
void io_uring_prep_send_bundle(struct ringd_sqe *sqe, int sockfd, size_t len, int flags);
void io_uring_prep_send_set_addr(struct ringd_sqe *sqe, const struct sockaddr *dest_addr, uint16_t addr_len);
void io_uring_prep_sendto(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags,
			  const struct sockaddr *addr, socklen_t addrlen);
void io_uring_prep_send_zc(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags, unsigned int zc_flags);
void io_uring_prep_send_zc_fixed(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags,
				 unsigned int zc_flags, unsigned int buf_index);
void io_uring_prep_sendmsg(struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags);
void io_uring_prep_sendmsg_zc(struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags);
void io_uring_prep_sendmsg_zc_fixed(struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags,
				    unsigned int buf_index);
void io_uring_prep_recv(struct ringd_sqe *sqe, int sockfd, void *buf, size_t len, int flags);
void io_uring_prep_recv_multishot(struct ringd_sqe *sqe, int sockfd, void *buf, size_t len, int flags);
void io_uring_prep_recvmsg(struct ringd_sqe *sqe, int fd, struct msghdr *msg, unsigned int flags);
void io_uring_prep_recvmsg_multishot(struct ringd_sqe *sqe, int fd, struct msghdr *msg, unsigned int flags);
void io_uring_prep_cmd_sock(struct ringd_sqe *sqe, int cmd_op, int fd, int level, int optname, void *optval, int optlen);
void io_uring_prep_cmd_getsockname(struct ringd_sqe *sqe, int fd, struct sockaddr *sockaddr, socklen_t *sockaddr_len,
				   int peer);

/* ffi_fs.c */
void io_uring_prep_openat(struct ringd_sqe *sqe, int dfd, const char *path, int flags, mode_t mode);
void io_uring_prep_openat_direct(struct ringd_sqe *sqe, int dfd, const char *path, int flags, mode_t mode,
				 unsigned int file_index);
void io_uring_prep_open(struct ringd_sqe *sqe, const char *path, int flags, mode_t mode);
void io_uring_prep_open_direct(struct ringd_sqe *sqe, const char *path, int flags, mode_t mode, unsigned int file_index);
void io_uring_prep_openat2(struct ringd_sqe *sqe, int dfd, const char *path, const struct open_how *how);
void io_uring_prep_openat2_direct(struct ringd_sqe *sqe, int dfd, const char *path, const struct open_how *how,
				  unsigned int file_index);
void io_uring_prep_close(struct ringd_sqe *sqe, int fd);
void io_uring_prep_close_direct(struct ringd_sqe *sqe, unsigned int file_index);
void io_uring_prep_files_update(struct ringd_sqe *sqe, int *fds, unsigned int nr_fds, int offset);
void io_uring_prep_fixed_fd_install(struct ringd_sqe *sqe, int fd, unsigned int flags);
void io_uring_prep_pipe(struct ringd_sqe *sqe, int *fds, int pipe_flags);
void io_uring_prep_pipe_direct(struct ringd_sqe *sqe, int *fds, int pipe_flags, unsigned int file_index);
void io_uring_prep_statx(struct ringd_sqe *sqe, int dfd, const char *path, int flags, unsigned int mask,
			 struct statx *statxbuf);
void io_uring_prep_unlinkat(struct ringd_sqe *sqe, int dfd, const char *path, int flags);
void io_uring_prep_unlink(struct ringd_sqe *sqe, const char *path, int flags);
void io_uring_prep_renameat(struct ringd_sqe *sqe, int olddfd, const char *oldpath, int newdfd, const char *newpath,
			    unsigned int flags);
void io_uring_prep_rename(struct ringd_sqe *sqe, const char *oldpath, const char *newpath);
void io_uring_prep_mkdirat(struct ringd_sqe *sqe, int dfd, const char *path, mode_t mode);
void io_uring_prep_mkdir(struct ringd_sqe *sqe, const char *path, mode_t mode);
void io_uring_prep_symlinkat(struct ringd_sqe *sqe, const char *target, int newdirfd, const char *linkpath);
void io_uring_prep_symlink(struct ringd_sqe *sqe, const char *target, const char *linkpath);
void io_uring_prep_linkat(struct ringd_sqe *sqe, int olddfd, const char *oldpath, int newdfd, const char *newpath, int flags);
void io_uring_prep_link(struct ringd_sqe *sqe, const char *oldpath, const char *newpath, int flags);
void io_uring_prep_getxattr(struct ringd_sqe *sqe, const char *name, char *value, const char *path, unsigned int len);
void io_uring_prep_setxattr(struct ringd_sqe *sqe, const char *name, const char *value, const char *path, int flags,
			    unsigned int len);
void io_uring_prep_fgetxattr(struct ringd_sqe *sqe, int fd, const char *name, char *value, unsigned int len);
void io_uring_prep_fsetxattr(struct ringd_sqe *sqe, int fd, const char *name, const char *value, int flags,
			     unsigned int len);

/* ffi_event.c */
void io_uring_prep_nop(struct ringd_sqe *sqe);
void io_uring_prep_nop128(struct ringd_sqe *sqe);
void io_uring_prep_poll_add(struct ringd_sqe *sqe, int fd, unsigned int poll_mask);
void io_uring_prep_poll_multishot(struct ringd_sqe *sqe, int fd, unsigned int poll_mask);
void io_uring_prep_poll_remove(struct ringd_sqe *sqe, uint64_t user_data);
void io_uring_prep_poll_update(struct ringd_sqe *sqe, uint64_t old_user_data, uint64_t new_user_data, unsigned int poll_mask,
			       unsigned int flags);
void io_uring_prep_epoll_ctl(struct ringd_sqe *sqe, int epfd, int fd, int op, const struct epoll_event *ev);
void io_uring_prep_epoll_wait(struct ringd_sqe *sqe, int fd, struct epoll_event *events, int maxevents, unsigned int flags);
void io_uring_prep_timeout(struct ringd_sqe *sqe, const struct ringd_timespec *ts, unsigned int count, unsigned int flags);
void io_uring_prep_timeout_remove(struct ringd_sqe *sqe, uint64_t user_data, unsigned int flags);
void io_uring_prep_timeout_update(struct ringd_sqe *sqe, const struct ringd_timespec *ts, uint64_t user_data,
				  unsigned int flags);
void io_uring_prep_link_timeout(struct ringd_sqe *sqe, const struct ringd_timespec *ts, unsigned int flags);
void io_uring_prep_cancel64(struct ringd_sqe *sqe, uint64_t user_data, int flags);
void io_uring_prep_cancel(struct ringd_sqe *sqe, const void *user_data, int flags);
void io_uring_prep_cancel_fd(struct ringd_sqe *sqe, int fd, unsigned int flags);
void io_uring_prep_msg_ring(struct ringd_sqe *sqe, int fd, unsigned int len, uint64_t data, unsigned int flags);
void io_uring_prep_msg_ring_cqe_flags(struct ringd_sqe *sqe, int fd, unsigned int len, uint64_t data, unsigned int flags,
				      unsigned int cqe_flags);
void io_uring_prep_msg_ring_fd(struct ringd_sqe *sqe, int fd, int source_fd, int target_fd, uint64_t data,
			       unsigned int flags);
void io_uring_prep_msg_ring_fd_alloc(struct ringd_sqe *sqe, int fd, int source_fd, uint64_t data, unsigned int flags);
void io_uring_prep_waitid(struct ringd_sqe *sqe, idtype_t idtype, id_t id, siginfo_t *infop, int options,
			  unsigned int flags);
void io_uring_prep_futex_wake(struct ringd_sqe *sqe, const uint32_t *futex, uint64_t val, uint64_t mask,
			      uint32_t futex_flags, unsigned int flags);
void io_uring_prep_futex_wait(struct ringd_sqe *sqe, const uint32_t *futex, uint64_t val, uint64_t mask,
			      uint32_t futex_flags, unsigned int flags);
void io_uring_prep_futex_waitv(struct ringd_sqe *sqe, const struct futex_waitv *futex, uint32_t nr_futex,
			       unsigned int flags);
void io_uring_prep_uring_cmd(struct ringd_sqe *sqe, int cmd_op, int fd);
void io_uring_prep_uring_cmd128(struct ringd_sqe *sqe, int cmd_op, int fd);
void io_uring_prep_cmd_discard(struct ringd_sqe *sqe, int fd, uint64_t offset, uint64_t nbytes);

#pragma GCC visibility pop

#endif
