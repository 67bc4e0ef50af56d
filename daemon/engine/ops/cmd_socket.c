/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of sockets. The options are an allow-list: some hold addresses or descriptor numbers, which would be the engine's
 * here (socket filters, zero-copy receive), give out descriptors, or count their length in something else than bytes.
 */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cmd.h"

#define RD_OPT_MAX	4096u	/* bytes of an option's value */
#define RD_OPT_HOME_MAX	(1u << 20)	/* where all options may be used: rules of a packet filter are the longest */
#define RD_SOL_TLS	282
#define RD_SOL_ICMPV6	58

/* of SOL_SOCKET, by number: some C libraries know fewer */
#define RD_SO_ATTACH_FILTER	26	/* read: SO_GET_FILTER, whose length counts instructions */
#define RD_SO_ATTACH_BPF	50
#define RD_SO_REUSEPORT_CBPF	51
#define RD_SO_REUSEPORT_EBPF	52
#define RD_SO_PEERPIDFD		77
#define RD_SO_DEVMEM_FIRST	78
#define RD_SO_DEVMEM_LAST	80
#define RD_SO_LAST		84	/* that was looked at for what it means to an engine */
#define RD_TCP_REPAIR_OPTIONS	22
#define RD_TCP_ZEROCOPY_RECEIVE	35
#define RD_TCP_LAST		46
#define RD_NF_FIRST		64	/* options of IP and IPV6 that netfilter takes, with addresses in them */
#define RD_NF_LAST		71
#define RD_IP_LAST		81

static bool socket_option_allowed(uint32_t opt)
{
	switch (opt) {
	case RD_SO_ATTACH_FILTER:
	case RD_SO_ATTACH_BPF:
	case RD_SO_REUSEPORT_CBPF:
	case RD_SO_REUSEPORT_EBPF:
	case RD_SO_PEERPIDFD:
	case RD_SO_DEVMEM_FIRST ... RD_SO_DEVMEM_LAST:
		return false;
	default:
		return opt <= RD_SO_LAST;
	}
}

static bool may_set(uint32_t level, uint32_t opt)
{
	switch (level) {
	case SOL_SOCKET:
		return socket_option_allowed(opt);
	case IPPROTO_IP:
	case IPPROTO_IPV6:
		return opt < RD_NF_FIRST || (opt > RD_NF_LAST && opt <= RD_IP_LAST);
	case IPPROTO_TCP:
		return opt != RD_TCP_REPAIR_OPTIONS && opt != RD_TCP_ZEROCOPY_RECEIVE && opt <= RD_TCP_LAST;
	case IPPROTO_UDP:
	case IPPROTO_RAW:
	case RD_SOL_ICMPV6:
	case RD_SOL_TLS:
		return true;		/* plain values, all of them */
	default:
		return false;
	}
}

static uint32_t longest(const struct rd_req *req)
{
	return rd_at_home(req) ? RD_OPT_HOME_MAX : RD_OPT_MAX;
}

int rd_cmd_socket_prep(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_cmd *cmd = &req->cmd;
	void *value;
	int r;

	/* whether it is a socket at all is not known yet: nothing is wrong before it is issued */
	if (cmd->op != RINGD_SOCKET_OP_SETSOCKOPT || !cmd->optlen || cmd->optlen > longest(req))
		return 0;
	r = rd_stage_new(&value, &req->ctx->engine->user, cmd->optlen);
	if (r < 0)
		return r;
	cmd->value = value;
	cmd->fault = host->ops->copy_in(host, value, cmd->addr3, cmd->optlen) < 0;
	return 0;
}

static int start_getsockopt(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_cmd *cmd = &req->cmd;

	if (cmd->level != SOL_SOCKET || !(rd_at_home(req) || socket_option_allowed(cmd->optname)))
		return -EOPNOTSUPP;
	if ((int32_t)cmd->optlen < 0)
		return -EINVAL;
	cmd->optlen = RD_MIN(cmd->optlen, longest(req));	/* no value that is allowed needs more */
	if (!cmd->optlen)
		return RD_PUNT;
	cmd->out = host->ops->map(host, cmd->addr3, cmd->optlen, &req->mem);
	return cmd->out ? RD_PUNT : -EFAULT;
}

static int start_setsockopt(const struct rd_req *req)
{
	const struct rd_cmd *cmd = &req->cmd;

	if (!rd_at_home(req) && !may_set(cmd->level, cmd->optname))
		return -EOPNOTSUPP;
	if (cmd->optlen > longest(req))
		return -EINVAL;
	return cmd->fault ? -EFAULT : RD_PUNT;
}

/* The address is fetched into memory of our own and copied out afterwards: the length in it may change at any time. */
static int start_getsockname(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_cmd *cmd = &req->cmd;
	void *value;
	int32_t room;
	int r;

	if (cmd->len || cmd->optlen > 1)
		return -EINVAL;
	r = host->ops->copy_in(host, &room, cmd->addr3, sizeof(room));
	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	r = rd_stage_new(&value, &req->ctx->engine->user, sizeof(struct sockaddr_storage));
	if (r < 0)
		return r;
	cmd->value = value;
	cmd->room = (uint32_t)room;
	return RD_PUNT;
}

int rd_cmd_socket_start(struct rd_req *req)
{
	struct rd_cmd *cmd = &req->cmd;

	switch (cmd->op) {
	case RINGD_SOCKET_OP_SIOCINQ:
	case RINGD_SOCKET_OP_SIOCOUTQ:
		return req->file->flags & RD_FILE_INET ? RD_PUNT : -EOPNOTSUPP;
	case RINGD_SOCKET_OP_GETSOCKOPT:
		return start_getsockopt(req);
	case RINGD_SOCKET_OP_SETSOCKOPT:
		return start_setsockopt(req);
	case RINGD_SOCKET_OP_TX_TIMESTAMP:
		return rd_cmd_tstamp(req);
	case RINGD_SOCKET_OP_GETSOCKNAME:
		return start_getsockname(req);
	default:
		return -EOPNOTSUPP;
	}
}

/* --- worker --- */

static int queued(int fd, unsigned long request)
{
	int n;

	return ioctl(fd, request, &n) < 0 ? -errno : n;
}

static int get_option(int fd, const struct rd_cmd *cmd)
{
	socklen_t len = cmd->optlen;

	if (getsockopt(fd, SOL_SOCKET, (int)cmd->optname, cmd->out, &len) < 0)
		return -errno;
	return (int)len;
}

static int set_option(int fd, const struct rd_cmd *cmd)
{
	return setsockopt(fd, (int)cmd->level, (int)cmd->optname, cmd->value, cmd->optlen) < 0 ? -errno : 0;
}

static int get_name(int fd, struct rd_cmd *cmd)
{
	socklen_t len = sizeof(struct sockaddr_storage);
	int r = cmd->optlen ? getpeername(fd, cmd->value, &len) : getsockname(fd, cmd->value, &len);

	if (r < 0)
		return -errno;
	cmd->len = RD_MIN(len, (socklen_t)sizeof(struct sockaddr_storage));
	return 0;
}

void rd_cmd_socket_work(struct rd_req *req)
{
	int fd = req->file->fd;

	switch (req->cmd.op) {
	case RINGD_SOCKET_OP_SIOCINQ:
		req->res = queued(fd, SIOCINQ);
		break;
	case RINGD_SOCKET_OP_SIOCOUTQ:
		req->res = queued(fd, SIOCOUTQ);
		break;
	case RINGD_SOCKET_OP_GETSOCKOPT:
		req->res = get_option(fd, &req->cmd);
		break;
	case RINGD_SOCKET_OP_SETSOCKOPT:
		req->res = set_option(fd, &req->cmd);
		break;
	default:
		req->res = get_name(fd, &req->cmd);
	}
}

int rd_cmd_socket_finish(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	const struct rd_cmd *cmd = &req->cmd;
	uint32_t len = cmd->len;

	if (cmd->op != RINGD_SOCKET_OP_GETSOCKNAME || req->res < 0)
		return RD_DONE;
	req->res = host->ops->copy_out(host, cmd->addr, cmd->value, RD_MIN(len, cmd->room));
	if (req->res == 0)
		req->res = host->ops->copy_out(host, cmd->addr3, &len, sizeof(len));
	return RD_DONE;
}
