/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmsg.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/common/util.h"
#include "../engine.h"
#include "../host.h"
#include "../rsrc/file.h"

/* by number: some C libraries know fewer */
#define RD_SO_TIMESTAMP_OLD		29
#define RD_SO_TIMESTAMPNS_OLD		35
#define RD_SO_TIMESTAMPING_OLD		37
#define RD_SO_TIMESTAMP_NEW		63
#define RD_SO_TIMESTAMPNS_NEW		64
#define RD_SO_TIMESTAMPING_NEW		65
#define RD_SCM_SECURITY			3
#define RD_SCM_WIFI_STATUS		41
#define RD_SCM_OPT_STATS		54
#define RD_SCM_PKTINFO			58
#define RD_SCM_TXTIME			61
#define RD_SCM_TS_OPT_ID		81
#define RD_SCM_INQ			84
#define RD_SCM_PIDFD			4
#define RD_IP_PROTOCOL			52
#define RD_IPV6_FLOWINFO		11
#define RD_IPV6_RECVFRAGSIZE		77
#define RD_UDP_SEGMENT			103
#define RD_UDP_GRO			104
#define RD_TCP_INQ			36
#define RD_SOL_TLS			282
#define RD_TLS_SET_RECORD_TYPE		1
#define RD_TLS_GET_RECORD_TYPE		2
#define RD_SOL_PACKET			263
#define RD_PACKET_AUXDATA		8
#define RD_IPV6_2292PKTINFO		2
#define RD_IPV6_2292HOPLIMIT		8

/* A kind and how long its value is. */
struct known {
	int level, type;
	size_t min, max;
};

#define ANY	0, RD_CMSG_ROOM

/* Values that mean the same whoever sends them. What needs a capability is for the kernel to refuse: an engine has none. */
static const struct known sendable[] = {
	{ SOL_SOCKET, SO_MARK, 4, 4 },
	{ SOL_SOCKET, SO_PRIORITY, 4, 4 },
	{ SOL_SOCKET, RD_SO_TIMESTAMPING_OLD, 4, 4 },
	{ SOL_SOCKET, RD_SO_TIMESTAMPING_NEW, 4, 4 },
	{ SOL_SOCKET, RD_SCM_TXTIME, 8, 8 },
	{ SOL_SOCKET, RD_SCM_TS_OPT_ID, 4, 4 },
	{ IPPROTO_IP, IP_TOS, 1, 4 },
	{ IPPROTO_IP, IP_TTL, 4, 4 },
	{ IPPROTO_IP, IP_PKTINFO, 12, 12 },
	{ IPPROTO_IP, RD_IP_PROTOCOL, 4, 4 },
	{ IPPROTO_IPV6, IPV6_PKTINFO, 20, 20 },
	{ IPPROTO_IPV6, RD_IPV6_2292PKTINFO, 20, 20 },
	{ IPPROTO_IPV6, IPV6_HOPLIMIT, 4, 4 },
	{ IPPROTO_IPV6, RD_IPV6_2292HOPLIMIT, 4, 4 },
	{ IPPROTO_IPV6, IPV6_TCLASS, 4, 4 },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, 4, 4 },
	{ IPPROTO_IPV6, RD_IPV6_FLOWINFO, 4, 4 },
	{ IPPROTO_UDP, RD_UDP_SEGMENT, 2, 2 },
	{ RD_SOL_TLS, RD_TLS_SET_RECORD_TYPE, 1, 1 },
};

/* Values that say nothing about the engine. */
static const struct known receivable[] = {
	{ SOL_SOCKET, SCM_CREDENTIALS, ANY },
	{ SOL_SOCKET, RD_SCM_SECURITY, ANY },
	{ SOL_SOCKET, SO_PRIORITY, ANY },
	{ SOL_SOCKET, SO_MARK, ANY },
	{ SOL_SOCKET, RD_SO_TIMESTAMP_OLD, ANY },
	{ SOL_SOCKET, RD_SO_TIMESTAMPNS_OLD, ANY },
	{ SOL_SOCKET, RD_SO_TIMESTAMPING_OLD, ANY },
	{ SOL_SOCKET, RD_SO_TIMESTAMP_NEW, ANY },
	{ SOL_SOCKET, RD_SO_TIMESTAMPNS_NEW, ANY },
	{ SOL_SOCKET, RD_SO_TIMESTAMPING_NEW, ANY },
	{ SOL_SOCKET, SO_RXQ_OVFL, ANY },
	{ SOL_SOCKET, RD_SCM_WIFI_STATUS, ANY },
	{ SOL_SOCKET, RD_SCM_OPT_STATS, ANY },
	{ SOL_SOCKET, RD_SCM_PKTINFO, ANY },
	{ SOL_SOCKET, RD_SCM_TXTIME, ANY },
	{ SOL_SOCKET, RD_SCM_INQ, ANY },
	{ IPPROTO_IP, IP_PKTINFO, ANY },
	{ IPPROTO_IP, IP_TTL, ANY },
	{ IPPROTO_IP, IP_TOS, ANY },
	{ IPPROTO_IP, IP_RECVOPTS, ANY },
	{ IPPROTO_IP, IP_RETOPTS, ANY },
	{ IPPROTO_IP, IP_RECVERR, ANY },
	{ IPPROTO_IP, IP_PASSSEC, ANY },
	{ IPPROTO_IP, IP_ORIGDSTADDR, ANY },
	{ IPPROTO_IP, IP_CHECKSUM, ANY },
	{ IPPROTO_IP, IP_RECVFRAGSIZE, ANY },
	{ IPPROTO_IPV6, IPV6_PKTINFO, ANY },
	{ IPPROTO_IPV6, IPV6_HOPLIMIT, ANY },
	{ IPPROTO_IPV6, IPV6_TCLASS, ANY },
	{ IPPROTO_IPV6, RD_IPV6_FLOWINFO, ANY },
	{ IPPROTO_IPV6, IPV6_HOPOPTS, ANY },
	{ IPPROTO_IPV6, IPV6_RTHDR, ANY },
	{ IPPROTO_IPV6, IPV6_RTHDRDSTOPTS, ANY },
	{ IPPROTO_IPV6, IPV6_DSTOPTS, ANY },
	{ IPPROTO_IPV6, IPV6_PATHMTU, ANY },
	{ IPPROTO_IPV6, IPV6_RECVERR, ANY },
	{ IPPROTO_IPV6, IPV6_ORIGDSTADDR, ANY },
	{ IPPROTO_IPV6, RD_IPV6_RECVFRAGSIZE, ANY },
	{ IPPROTO_IPV6, RD_IPV6_2292PKTINFO, ANY },
	{ IPPROTO_IPV6, RD_IPV6_2292HOPLIMIT, ANY },
	{ IPPROTO_TCP, RD_TCP_INQ, ANY },
	{ IPPROTO_UDP, RD_UDP_GRO, ANY },
	{ RD_SOL_TLS, RD_TLS_GET_RECORD_TYPE, ANY },
	{ RD_SOL_PACKET, RD_PACKET_AUXDATA, ANY },
};

static const struct known *find(const struct known *list, size_t n, const struct cmsghdr *head)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].level == head->cmsg_level && list[i].type == head->cmsg_type)
			return &list[i];
	}
	return NULL;
}

/* The head of what begins at pos. 1; 0: this is the end; -EINVAL: it says more than there is. As the kernel reads them. */
static int head_at(struct cmsghdr *head, const char *data, size_t len, size_t pos)
{
	if (pos > len || len - pos < sizeof(*head))
		return 0;
	memcpy(head, data + pos, sizeof(*head));
	return head->cmsg_len < sizeof(*head) || head->cmsg_len > len - pos ? -EINVAL : 1;
}

static bool is_socket_message(const struct cmsghdr *head, int type)
{
	return head->cmsg_level == SOL_SOCKET && head->cmsg_type == type;
}

/* --- to be sent --- */

/* Numbers of the client's become ours. The references are the caller's. */
static int import_rights(struct rd_host *host, char *numbers, size_t n, struct rd_file **files, uint32_t *nr)
{
	if (n > RD_FDS_MAX - *nr)
		return -EINVAL;
	for (size_t i = 0; i < n; i++, numbers += sizeof(int)) {
		int fd, r;

		memcpy(&fd, numbers, sizeof(fd));
		r = host->ops->file(host, fd, &files[*nr]);
		if (r < 0)
			return r;
		rd_file_share(files[*nr]);
		memcpy(numbers, &files[*nr]->fd, sizeof(fd));
		(*nr)++;
	}
	return 0;
}

/*
 * The kernel lets nobody say that it is another process. A client that says who it is says what every receiver of its messages
 * sees anyway: the tenant's ids, and the pid of the process that makes the call for it. Nobody else's name is given.
 */
static int import_credentials(struct rd_host *host, char *value, size_t len)
{
	struct ucred cred;

	if (len != sizeof(cred))
		return -EINVAL;
	memcpy(&cred, value, sizeof(cred));
	if (!host->ops->pid || cred.pid <= 0 || cred.pid != host->ops->pid(host))
		return -EPERM;
	cred.pid = getpid();
	memcpy(value, &cred, sizeof(cred));
	return 0;
}

/* value has n bytes. */
static int import_one(struct rd_host *host, const struct cmsghdr *head, char *value, size_t n, struct rd_file **files,
		      uint32_t *nr)
{
	const struct known *known;

	if (is_socket_message(head, SCM_RIGHTS))
		return import_rights(host, value, n / sizeof(int), files, nr);
	if (is_socket_message(head, SCM_CREDENTIALS))
		return import_credentials(host, value, n);
	known = find(sendable, RD_ARRAY_SIZE(sendable), head);
	if (!known)
		return -EOPNOTSUPP;
	return n < known->min || n > known->max ? -EINVAL : 0;
}

int rd_cmsg_import(struct rd_host *host, void *data, size_t len, struct rd_file **files, uint32_t *nr)
{
	char *p = data;
	size_t pos = 0;
	struct cmsghdr head;
	int r;

	*nr = 0;
	while ((r = head_at(&head, p, len, pos)) > 0) {
		size_t n = head.cmsg_len - CMSG_LEN(0);

		r = import_one(host, &head, p + pos + CMSG_LEN(0), n, files, nr);
		if (r < 0)
			return r;
		/* nothing is left out and heads are whole, so everything stays where it is; what is between is ours */
		memset(p + pos + head.cmsg_len, 0, CMSG_ALIGN(n) - n);
		pos += CMSG_SPACE(n);
	}
	return r < 0 ? r : (int)pos;
}

static bool is_ring(struct rd_host *host, const char *number)
{
	struct rd_ctx *ctx;
	int fd;

	memcpy(&fd, number, sizeof(fd));
	return host->ops->ring(host, fd, &ctx) == 0;
}

int rd_cmsg_check(struct rd_host *host, const void *data, size_t len)
{
	const char *p = data;
	struct cmsghdr head;
	size_t pos = 0;

	/* lengths that lie are the kernel's to refuse */
	while (head_at(&head, p, len, pos) > 0) {
		size_t n = head.cmsg_len - CMSG_LEN(0);

		for (size_t i = 0; is_socket_message(&head, SCM_RIGHTS) && i + sizeof(int) <= n; i += sizeof(int)) {
			if (is_ring(host, p + pos + CMSG_LEN(0) + i))
				return -EINVAL;
		}
		pos += CMSG_SPACE(n);
	}
	return (int)len;
}

/* --- received --- */

void rd_cmsg_begin_uncharged(struct rd_cmsg_in *in)
{
	in->files.user = NULL;
	in->fds = NULL;
	in->len = 0;
	in->lost = false;
}

/* May the process have open what all budgets together allow (session/service.c counts alike), and those of one message besides? */
static bool process_has_room(const struct rd_engine *engine)
{
	static const struct {
		unsigned int slot, each;
	} kinds[] = { { RINGD_LIMIT_FILES, 1 }, { RINGD_LIMIT_RINGS, 2 }, { RINGD_LIMIT_CLIENTS, 2 } };
	uint64_t sum = 2 * RD_FDS_MAX + 128;	/* a worker may be at one, too; some are our own */
	struct rlimit rl;

	for (size_t i = 0; i < RD_ARRAY_SIZE(kinds); i++)
		sum += kinds[i].each * RD_MIN(engine->user.limit[kinds[i].slot], (uint64_t)UINT32_MAX);
	return getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur >= sum;
}

int rd_cmsg_begin(struct rd_cmsg_in *in, struct rd_engine *engine)
{
	rd_cmsg_begin_uncharged(in);
	/* the budget fits into what the process may have open (session/service.c), so there is room for them in the kernel */
	if (rd_charge_take(&in->files, &engine->user, RINGD_LIMIT_FILES, RD_FDS_MAX) == 0)
		return 0;
	/* few have so many free, and few messages bring any: one at a time may go beyond */
	return engine->strays || !process_has_room(engine) ? -EDQUOT : 0;
}

bool rd_cmsg_begin_away(struct rd_engine *engine)
{
	/* relaxed: nothing is handed over by it */
	return process_has_room(engine) && !__atomic_exchange_n(&engine->away, true, __ATOMIC_RELAXED);
}

void rd_cmsg_end_away(struct rd_engine *engine)
{
	__atomic_store_n(&engine->away, false, __ATOMIC_RELAXED);
}

void rd_cmsg_room(struct rd_cmsg_in *in, struct msghdr *mh)
{
	mh->msg_control = in->buf;
	mh->msg_controllen = sizeof(in->buf);
}

/* Descriptors in a control message, appended to those in fds. */
static uint32_t take_numbers(const struct cmsghdr *c, int *fds, uint32_t nr)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	n = RD_MIN(n, (size_t)(RD_FDS_MAX + 1 - nr));	/* more the kernel does not give: those and a pidfd */
	memcpy(fds + nr, CMSG_DATA(c), n * sizeof(int));
	return nr + (uint32_t)n;
}

/* They came without a charge: over budget they are closed. */
static void charge_late(struct rd_cmsg_in *in, struct rd_engine *engine)
{
	if (rd_charge_take(&in->fds->charge, &engine->user, RINGD_LIMIT_FILES, in->fds->n) == 0)
		return;
	in->lost = true;
	rd_cmsg_drop(in);
}

void rd_cmsg_end(struct rd_cmsg_in *in, struct rd_engine *engine, struct msghdr *mh)
{
	int fds[RD_FDS_MAX + 1], pidfd[RD_FDS_MAX + 1];
	uint32_t nr = 0, pidfds = 0;
	size_t len = 0;

	for (struct cmsghdr *c = mh ? CMSG_FIRSTHDR(mh) : NULL, *next; c; c = next) {
		size_t space = CMSG_SPACE(c->cmsg_len - CMSG_LEN(0));

		next = CMSG_NXTHDR(mh, c);
		if (is_socket_message(c, SCM_RIGHTS)) {
			nr = take_numbers(c, fds, nr);
		} else if (is_socket_message(c, RD_SCM_PIDFD)) {
			pidfds = take_numbers(c, pidfd, pidfds);
			in->lost = true;
		} else if (find(receivable, RD_ARRAY_SIZE(receivable), c)) {
			space = RD_MIN(space, (size_t)(in->buf + sizeof(in->buf) - (char *)c));
			memmove(in->buf + len, c, space);
			len += space;
		} else {
			in->lost = true;
		}
	}
	in->len = len;
	in->lost |= mh && (mh->msg_flags & MSG_CTRUNC);
	for (uint32_t i = 0; i < pidfds; i++)
		rd_close(pidfd[i]);	/* made for us, and nobody waits for the end of a pidfd */
	if (nr)
		in->fds = rd_fds_new(engine, fds, nr, &in->files);
	rd_charge_give(&in->files);
	if (in->fds && !in->fds->charge.user)
		charge_late(in, engine);
}

void rd_cmsg_drop(struct rd_cmsg_in *in)
{
	rd_fds_close(rd_steal_ptr(&in->fds), NULL, NULL);
	rd_charge_give(&in->files);
}

/* What lies between one and the next is not ours to show. */
static void end_message(struct rd_cmsg_fit *fit, char *dst, size_t room, size_t len)
{
	size_t space = RD_MIN(CMSG_ALIGN(len), room - fit->len);

	memset(dst + fit->len + len, 0, space - len);
	fit->len += space;
}

/* What of a control message of len bytes (head and value) goes into room, as the kernel cuts them. */
static void fit_one(struct rd_cmsg_fit *fit, char *dst, size_t room, const struct cmsghdr *c, size_t len)
{
	struct cmsghdr head = *c;
	size_t left = room - fit->len;

	if (left < sizeof(head)) {
		fit->cut = true;
		return;
	}
	if (left < len) {
		fit->cut = true;
		len = left;
	}
	head.cmsg_len = len;
	memcpy(dst + fit->len, &head, sizeof(head));
	memcpy(dst + fit->len + sizeof(head), c + 1, len - sizeof(head));
	end_message(fit, dst, room, len);
}

static void fit_rights(struct rd_cmsg_fit *fit, char *dst, size_t room, const struct rd_fds *fds)
{
	size_t left = room - fit->len, n = left < CMSG_LEN(0) ? 0 : (left - CMSG_LEN(0)) / sizeof(int);
	struct cmsghdr head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };

	n = RD_MIN(n, (size_t)fds->n);
	if (n < fds->n)
		fit->cut = true;
	if (!n)
		return;
	head.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(dst + fit->len, &head, sizeof(head));
	fit->numbers = fit->len + CMSG_LEN(0);
	fit->n_fds = (uint32_t)n;
	memset(dst + fit->numbers, 0xff, n * sizeof(int));
	end_message(fit, dst, room, head.cmsg_len);
}

void rd_cmsg_fit(const struct rd_cmsg_in *in, char *dst, size_t room, const struct rd_fds *fds, struct rd_cmsg_fit *fit)
{
	size_t pos = 0;

	room = RD_MIN(room, (size_t)RD_CMSG_ROOM);
	*fit = (struct rd_cmsg_fit){ .cut = in->lost };
	while (in->len - pos >= sizeof(struct cmsghdr)) {
		const struct cmsghdr *c = (const struct cmsghdr *)(const void *)(in->buf + pos);
		size_t space = CMSG_SPACE(c->cmsg_len - CMSG_LEN(0));

		fit_one(fit, dst, room, c, RD_MIN((size_t)c->cmsg_len, in->len - pos));
		pos += RD_MIN(space, in->len - pos);
	}
	if (fds)
		fit_rights(fit, dst, room, fds);
}
