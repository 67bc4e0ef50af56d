/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prep, issue, work, finish, cleanup of every opcode; see struct rd_op. */
#ifndef RD_OPS_H
#define RD_OPS_H

#include "../request/request.h"

/* nop.c */
int rd_nop_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_nop(struct rd_req *req, unsigned int issue_flags);

/* cancel.c */
int rd_cancel_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_cancel_issue(struct rd_req *req, unsigned int issue_flags);

/* rw.c: READ WRITE READV WRITEV READ_FIXED WRITE_FIXED */
int rd_rw_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_rwv_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_rw_fixed_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_rw(struct rd_req *req, unsigned int issue_flags);
void rd_rw_work(struct rd_req *req);
int rd_rw_io_done(struct rd_req *req, int32_t res);
void rd_rw_cleanup(struct rd_req *req);

/* openclose.c */
int rd_openat_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_openat2_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_open(struct rd_req *req, unsigned int issue_flags);
void rd_open_work(struct rd_req *req);
int rd_open_finish(struct rd_req *req);
void rd_open_cleanup(struct rd_req *req);
int rd_close_prep(struct rd_req *req, const struct ringd_sqe *sqe);
int rd_close_issue(struct rd_req *req, unsigned int issue_flags);

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

#endif
