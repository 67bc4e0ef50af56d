/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words and numbers for people. */
#include "daemon/common/util.h"
#include "ringctl.h"

static const char *const ops[] = {
	[RINGD_OP_NOP] = "nop", [RINGD_OP_READV] = "readv", [RINGD_OP_WRITEV] = "writev", [RINGD_OP_FSYNC] = "fsync",
	[RINGD_OP_READ_FIXED] = "read_fixed", [RINGD_OP_WRITE_FIXED] = "write_fixed",
	[RINGD_OP_POLL_ADD] = "poll_add", [RINGD_OP_POLL_REMOVE] = "poll_remove",
	[RINGD_OP_SYNC_FILE_RANGE] = "sync_file_range", [RINGD_OP_SENDMSG] = "sendmsg",
	[RINGD_OP_RECVMSG] = "recvmsg", [RINGD_OP_TIMEOUT] = "timeout",
	[RINGD_OP_TIMEOUT_REMOVE] = "timeout_remove", [RINGD_OP_ACCEPT] = "accept",
	[RINGD_OP_ASYNC_CANCEL] = "async_cancel", [RINGD_OP_LINK_TIMEOUT] = "link_timeout",
	[RINGD_OP_CONNECT] = "connect", [RINGD_OP_FALLOCATE] = "fallocate", [RINGD_OP_OPENAT] = "openat",
	[RINGD_OP_CLOSE] = "close", [RINGD_OP_FILES_UPDATE] = "files_update", [RINGD_OP_STATX] = "statx",
	[RINGD_OP_READ] = "read", [RINGD_OP_WRITE] = "write", [RINGD_OP_FADVISE] = "fadvise",
	[RINGD_OP_MADVISE] = "madvise", [RINGD_OP_SEND] = "send", [RINGD_OP_RECV] = "recv",
	[RINGD_OP_OPENAT2] = "openat2", [RINGD_OP_EPOLL_CTL] = "epoll_ctl", [RINGD_OP_SPLICE] = "splice",
	[RINGD_OP_PROVIDE_BUFFERS] = "provide_buffers", [RINGD_OP_REMOVE_BUFFERS] = "remove_buffers",
	[RINGD_OP_TEE] = "tee", [RINGD_OP_SHUTDOWN] = "shutdown", [RINGD_OP_RENAMEAT] = "renameat",
	[RINGD_OP_UNLINKAT] = "unlinkat", [RINGD_OP_MKDIRAT] = "mkdirat", [RINGD_OP_SYMLINKAT] = "symlinkat",
	[RINGD_OP_LINKAT] = "linkat", [RINGD_OP_MSG_RING] = "msg_ring", [RINGD_OP_FSETXATTR] = "fsetxattr",
	[RINGD_OP_SETXATTR] = "setxattr", [RINGD_OP_FGETXATTR] = "fgetxattr", [RINGD_OP_GETXATTR] = "getxattr",
	[RINGD_OP_SOCKET] = "socket", [RINGD_OP_URING_CMD] = "uring_cmd", [RINGD_OP_SEND_ZC] = "send_zc",
	[RINGD_OP_SENDMSG_ZC] = "sendmsg_zc", [RINGD_OP_READ_MULTISHOT] = "read_multishot",
	[RINGD_OP_WAITID] = "waitid", [RINGD_OP_FUTEX_WAIT] = "futex_wait", [RINGD_OP_FUTEX_WAKE] = "futex_wake",
	[RINGD_OP_FUTEX_WAITV] = "futex_waitv", [RINGD_OP_FIXED_FD_INSTALL] = "fixed_fd_install",
	[RINGD_OP_FTRUNCATE] = "ftruncate", [RINGD_OP_BIND] = "bind", [RINGD_OP_LISTEN] = "listen",
	[RINGD_OP_RECV_ZC] = "recv_zc", [RINGD_OP_EPOLL_WAIT] = "epoll_wait", [RINGD_OP_READV_FIXED] = "readv_fixed",
	[RINGD_OP_WRITEV_FIXED] = "writev_fixed", [RINGD_OP_PIPE] = "pipe", [RINGD_OP_NOP128] = "nop128",
	[RINGD_OP_URING_CMD128] = "uring_cmd128",
};

_Static_assert(RD_ARRAY_SIZE(ops) == RINGD_STATUS_OPS, "every opcode has a name");

static const char *const limits[] = {
	[RINGD_LIMIT_RINGS] = "rings", [RINGD_LIMIT_ENTRIES] = "entries", [RINGD_LIMIT_BYTES] = "bytes",
	[RINGD_LIMIT_FILES] = "files", [RINGD_LIMIT_INFLIGHT] = "in_flight", [RINGD_LIMIT_WORKERS] = "workers",
	[RINGD_LIMIT_CLIENTS] = "clients", [RINGD_LIMIT_OBJECTS] = "objects",
};
_Static_assert(RD_ARRAY_SIZE(limits) == RINGD_LIMIT_MAX, "every limit has a name");

const char *rc_op_name(unsigned int op)
{
	static char unknown[16];

	if (op < RD_ARRAY_SIZE(ops) && ops[op])
		return ops[op];
	snprintf(unknown, sizeof(unknown), "op_%u", op);
	return unknown;
}

const char *rc_limit_name(unsigned int limit)
{
	return limit < RD_ARRAY_SIZE(limits) ? limits[limit] : NULL;
}

void rc_format_ns(char *buf, size_t size, uint64_t ns)
{
	static const struct {
		double scale;
		const char *unit;
	} units[] = { { 1e3, "us" }, { 1e6, "ms" }, { 1e9, "s" } };
	size_t i = 0;

	if (ns < 1000) {
		snprintf(buf, size, "%u ns", (unsigned int)ns);
		return;
	}
	while (i + 1 < RD_ARRAY_SIZE(units) && (double)ns >= units[i + 1].scale)
		i++;
	snprintf(buf, size, "%.3g %s", (double)ns / units[i].scale, units[i].unit);
}

void rc_format_uptime(char *buf, size_t size, uint64_t ms)
{
	unsigned long long s = ms / 1000;

	if (s >= 86400)
		snprintf(buf, size, "%llud %lluh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(buf, size, "%lluh %llum", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buf, size, "%llum %llus", s / 60, s % 60);
	else
		snprintf(buf, size, "%llus", s);
}
