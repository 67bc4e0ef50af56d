/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prep, issue, work, finish, cleanup of every opcode; see struct rd_op. */
#ifndef RD_OPS_H
#define RD_OPS_H

#include "../request/request.h"

/* nop.c */
int rd_nop_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_nop128_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_nop(struct rd_req *req, unsigned int issue_flags);

/* cancel.c */
int rd_cancel_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_cancel_issue(struct rd_req *req, unsigned int issue_flags);

/* timeout.c: TIMEOUT LINK_TIMEOUT */
int rd_timeout_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_timeout_issue(struct rd_req *req, unsigned int issue_flags);
int rd_timeout_cancel(struct rd_req *req);
void rd_timeout_cleanup(struct rd_req *req);
int rd_link_timeout_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_link_timeout_issue(struct rd_req *req, unsigned int issue_flags);
void rd_link_timeout_cleanup(struct rd_req *req);

/* timeout_remove.c */
int rd_timeout_remove_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_timeout_remove_issue(struct rd_req *req, unsigned int issue_flags);

/* poll.c: POLL_ADD POLL_REMOVE */
int rd_poll_add_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_poll_add_issue(struct rd_req *req, unsigned int issue_flags);
void rd_poll_add_work(struct rd_req *req);
int rd_poll_add_finish(struct rd_req *req);
void rd_poll_add_cleanup(struct rd_req *req);
int rd_poll_add_cancel(struct rd_req *req);
int rd_poll_remove_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_poll_remove_issue(struct rd_req *req, unsigned int issue_flags);

/* rw.c: READ WRITE READV WRITEV READ_FIXED WRITE_FIXED */
int rd_rw_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_rwv_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_rw_fixed_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_rw(struct rd_req *req, unsigned int issue_flags);
void rd_rw_work(struct rd_req *req);
int rd_rw_io_done(struct rd_req *req, int32_t res);
void rd_rw_cleanup(struct rd_req *req);

/* rw_fixed.c: READV_FIXED WRITEV_FIXED */
int rd_rwv_fixed_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_rwv_fixed(struct rd_req *req, unsigned int issue_flags);

/* read_multishot.c */
int rd_read_mshot_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_read_mshot(struct rd_req *req, unsigned int issue_flags);
int rd_read_mshot_finish(struct rd_req *req);

/* recv_zc.c: RECV_ZC */
int rd_recv_zc_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_recv_zc(struct rd_req *req, unsigned int issue_flags);
int rd_recv_zc_cancel(struct rd_req *req);
void rd_recv_zc_cleanup(struct rd_req *req);

/* futex.c */
int rd_futex_wait_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_futex_waitv_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_futex_wait_issue(struct rd_req *req, unsigned int issue_flags);
int rd_futex_wait_cancel(struct rd_req *req);
void rd_futex_wait_cleanup(struct rd_req *req);
int rd_futex_wake_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_futex_wake_issue(struct rd_req *req, unsigned int issue_flags);

/* epollwait.c */
int rd_epoll_wait_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_epoll_wait_issue(struct rd_req *req, unsigned int issue_flags);
int rd_epoll_wait_cancel(struct rd_req *req);
void rd_epoll_wait_cleanup(struct rd_req *req);

/* waitid.c */
int rd_waitid_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_waitid_issue(struct rd_req *req, unsigned int issue_flags);
int rd_waitid_cancel(struct rd_req *req);

/* bufs.c: PROVIDE_BUFFERS REMOVE_BUFFERS */
int rd_provide_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_provide_issue(struct rd_req *req, unsigned int issue_flags);
int rd_remove_bufs_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_remove_bufs_issue(struct rd_req *req, unsigned int issue_flags);

/* openclose.c */
int rd_openat_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_openat2_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_open(struct rd_req *req, unsigned int issue_flags);
void rd_open_work(struct rd_req *req);
int rd_open_finish(struct rd_req *req);
void rd_open_cleanup(struct rd_req *req);
/* op->cancel of all that gives the client a descriptor or closes one */
int rd_install_cancel(struct rd_req *req);
int rd_close_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_close_issue(struct rd_req *req, unsigned int issue_flags);

/* pipe.c: PIPE FIXED_FD_INSTALL */
int rd_pipe_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_pipe_issue(struct rd_req *req, unsigned int issue_flags);
int rd_pipe_cancel(struct rd_req *req);
int rd_install_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_install_issue(struct rd_req *req, unsigned int issue_flags);

/* msgring.c: MSG_RING */
int rd_msgring_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_msgring_issue(struct rd_req *req, unsigned int issue_flags);
/* SEND_MSG_RING: what the CQE of such a request would say. */
int rd_msgring_sync(struct rd_host *host, const struct ringd_sqe *sqe);

/* socket.c: SOCKET BIND LISTEN SHUTDOWN */
int rd_socket_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_socket_issue(struct rd_req *req, unsigned int issue_flags);
void rd_socket_work(struct rd_req *req);
int rd_socket_finish(struct rd_req *req);
void rd_socket_cleanup(struct rd_req *req);
int rd_bind_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_bind_issue(struct rd_req *req, unsigned int issue_flags);
void rd_bind_work(struct rd_req *req);
int rd_listen_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_listen_issue(struct rd_req *req, unsigned int issue_flags);
void rd_listen_work(struct rd_req *req);
int rd_shutdown_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_shutdown_issue(struct rd_req *req, unsigned int issue_flags);
void rd_shutdown_work(struct rd_req *req);
/* of all that is for sockets: 0, or -ENOTSOCK and the request has failed */
int rd_socket_check(struct rd_req *req);
/* RD_FILE_* of a new socket of this kind (the RD_FILE_* of another one), for file_index or (0) the client, made with SOCK_* flags */
uint32_t rd_socket_flags(uint32_t kind, uint32_t file_index, uint32_t flags);
/* It goes where file_index says, the reference is taken over: RD_DONE with req->res, or RD_PENDING as host->install(). */
int rd_socket_install(struct rd_req *req, struct rd_file *file, uint32_t file_index, uint32_t flags);
/* of what has an address: is it a path, and where does it start? 0 or -errno */
int rd_sockname_start(struct rd_req *req);
void rd_sockname_cleanup(struct rd_req *req);

/* connect.c: CONNECT */
int rd_connect_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_connect_issue(struct rd_req *req, unsigned int issue_flags);
void rd_connect_work(struct rd_req *req);
int rd_connect_finish(struct rd_req *req);
int rd_connect_io_done(struct rd_req *req, int32_t res);
void rd_connect_cleanup(struct rd_req *req);

/* accept.c: ACCEPT */
int rd_accept_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_accept_issue(struct rd_req *req, unsigned int issue_flags);
void rd_accept_work(struct rd_req *req);
int rd_accept_finish(struct rd_req *req);
int rd_accept_installed(struct rd_req *req);
void rd_accept_cleanup(struct rd_req *req);

/* sync.c: FSYNC SYNC_FILE_RANGE FALLOCATE FTRUNCATE */
int rd_fsync_prep(struct rd_req *req, const struct ringd_sqe *sqe);
void rd_fsync_work(struct rd_req *req);
int rd_sync_range_prep(struct rd_req *req, const struct ringd_sqe *sqe);
void rd_sync_range_work(struct rd_req *req);
int rd_fallocate_prep(struct rd_req *req, const struct ringd_sqe *sqe);
void rd_fallocate_work(struct rd_req *req);
int rd_ftruncate_prep(struct rd_req *req, const struct ringd_sqe *sqe);
void rd_ftruncate_work(struct rd_req *req);

/* fs.c: STATX */
int rd_statx_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_statx(struct rd_req *req, unsigned int issue_flags);
void rd_statx_work(struct rd_req *req);
void rd_statx_cleanup(struct rd_req *req);

/* names.c: RENAMEAT UNLINKAT MKDIRAT SYMLINKAT LINKAT */
int rd_renameat_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_unlinkat_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_mkdirat_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_symlinkat_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_linkat_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_names(struct rd_req *req, unsigned int issue_flags);
void rd_renameat_work(struct rd_req *req);
void rd_unlinkat_work(struct rd_req *req);
void rd_mkdirat_work(struct rd_req *req);
void rd_symlinkat_work(struct rd_req *req);
void rd_linkat_work(struct rd_req *req);
void rd_names_cleanup(struct rd_req *req);

/* xattr.c: SETXATTR FSETXATTR GETXATTR FGETXATTR */
int rd_setxattr_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_fsetxattr_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_getxattr_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_fgetxattr_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_setxattr(struct rd_req *req, unsigned int issue_flags);
int rd_getxattr(struct rd_req *req, unsigned int issue_flags);
void rd_setxattr_work(struct rd_req *req);
void rd_fsetxattr_work(struct rd_req *req);
void rd_getxattr_work(struct rd_req *req);
void rd_fgetxattr_work(struct rd_req *req);
void rd_xattr_cleanup(struct rd_req *req);

/* advise.c: FADVISE MADVISE */
int rd_fadvise_prep(struct rd_req *req, const struct ringd_sqe *sqe);
void rd_fadvise_work(struct rd_req *req);
int rd_madvise_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_madvise(struct rd_req *req, unsigned int issue_flags);
void rd_madvise_work(struct rd_req *req);

/* splice.c: SPLICE TEE */
int rd_splice_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_tee_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_splice(struct rd_req *req, unsigned int issue_flags);
void rd_splice_work(struct rd_req *req);
void rd_tee_work(struct rd_req *req);
void rd_splice_cleanup(struct rd_req *req);

/* send.c */
int rd_send_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_send(struct rd_req *req, unsigned int issue_flags);

/* send_zc.c: SEND_ZC SENDMSG_ZC */
int rd_send_zc_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_sendmsg_zc_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_send_zc(struct rd_req *req, unsigned int issue_flags);
int rd_send_zc_cancel(struct rd_req *req);
void rd_send_zc_cleanup(struct rd_req *req);

/* recv.c */
int rd_recv_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_recv(struct rd_req *req, unsigned int issue_flags);

/* msg.c: SENDMSG */
int rd_sendmsg_prep(struct rd_req *req, const struct ringd_sqe *sqe);

/* recvmsg.c: RECVMSG */
int rd_recvmsg_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_recvmsg(struct rd_req *req, unsigned int issue_flags);
int rd_recvmsg_finish(struct rd_req *req);
int rd_recvmsg_installed(struct rd_req *req);
int rd_recvmsg_cancel(struct rd_req *req);

/* net_away.c: an attempt on a worker, and then what it has come to */
void rd_net_work(struct rd_req *req);
int rd_net_finish(struct rd_req *req);

/* net.c: of all that move data through sockets */
void rd_net_stopped(struct rd_req *req);
void rd_net_cleanup(struct rd_req *req);

/* epollctl.c */
int rd_epoll_ctl_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_epoll_ctl(struct rd_req *req, unsigned int issue_flags);
void rd_epoll_ctl_work(struct rd_req *req);
void rd_epoll_ctl_cleanup(struct rd_req *req);

/* filesupdate.c */
int rd_files_update_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_files_update(struct rd_req *req, unsigned int issue_flags);
void rd_files_update_work(struct rd_req *req);
int rd_files_update_finish(struct rd_req *req);
void rd_files_update_cleanup(struct rd_req *req);

/* cmd.c: URING_CMD */
int rd_cmd_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_cmd128_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_cmd(struct rd_req *req, unsigned int issue_flags);
void rd_cmd_work(struct rd_req *req);
int rd_cmd_finish(struct rd_req *req);
void rd_cmd_cleanup(struct rd_req *req);

#endif
