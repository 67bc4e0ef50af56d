/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names.h"

#include <stdio.h>

#include "daemon/common/util.h"
#include "daemon/engine/request/opdef.h"

static const char *const flag_names[] = {	/* by bit */
	"IOPOLL", "SQPOLL", "SQ_AFF", "CQSIZE", "CLAMP", "ATTACH_WQ", "R_DISABLED", "SUBMIT_ALL", "COOP_TASKRUN",
	"TASKRUN_FLAG", "SQE128", "CQE32", "SINGLE_ISSUER", "DEFER_TASKRUN", "NO_MMAP", "REGISTERED_FD_ONLY", "NO_SQARRAY",
	"HYBRID_IOPOLL", "CQE_MIXED", "SQE_MIXED", "SQ_REWIND",
};
_Static_assert(1u << RD_ARRAY_SIZE(flag_names) == RINGD_SETUP_ALL + 1u, "every flag has a name");

static const char *const register_names[] = {
	[RINGD_REGISTER_BUFFERS] = "BUFFERS", [RINGD_UNREGISTER_BUFFERS] = "UNREGISTER_BUFFERS",
	[RINGD_REGISTER_FILES] = "FILES", [RINGD_UNREGISTER_FILES] = "UNREGISTER_FILES",
	[RINGD_REGISTER_EVENTFD] = "EVENTFD", [RINGD_UNREGISTER_EVENTFD] = "UNREGISTER_EVENTFD",
	[RINGD_REGISTER_FILES_UPDATE] = "FILES_UPDATE", [RINGD_REGISTER_EVENTFD_ASYNC] = "EVENTFD_ASYNC",
	[RINGD_REGISTER_PROBE] = "PROBE", [RINGD_REGISTER_PERSONALITY] = "PERSONALITY",
	[RINGD_UNREGISTER_PERSONALITY] = "UNREGISTER_PERSONALITY", [RINGD_REGISTER_RESTRICTIONS] = "RESTRICTIONS",
	[RINGD_REGISTER_ENABLE_RINGS] = "ENABLE_RINGS", [RINGD_REGISTER_FILES2] = "FILES2",
	[RINGD_REGISTER_FILES_UPDATE2] = "FILES_UPDATE2", [RINGD_REGISTER_BUFFERS2] = "BUFFERS2",
	[RINGD_REGISTER_BUFFERS_UPDATE] = "BUFFERS_UPDATE", [RINGD_REGISTER_IOWQ_AFF] = "IOWQ_AFF",
	[RINGD_UNREGISTER_IOWQ_AFF] = "UNREGISTER_IOWQ_AFF", [RINGD_REGISTER_IOWQ_MAX_WORKERS] = "IOWQ_MAX_WORKERS",
	[RINGD_REGISTER_RING_FDS] = "RING_FDS", [RINGD_UNREGISTER_RING_FDS] = "UNREGISTER_RING_FDS",
	[RINGD_REGISTER_PBUF_RING] = "PBUF_RING", [RINGD_UNREGISTER_PBUF_RING] = "UNREGISTER_PBUF_RING",
	[RINGD_REGISTER_SYNC_CANCEL] = "SYNC_CANCEL", [RINGD_REGISTER_FILE_ALLOC_RANGE] = "FILE_ALLOC_RANGE",
	[RINGD_REGISTER_PBUF_STATUS] = "PBUF_STATUS", [RINGD_REGISTER_NAPI] = "NAPI",
	[RINGD_UNREGISTER_NAPI] = "UNREGISTER_NAPI", [RINGD_REGISTER_CLOCK] = "CLOCK",
	[RINGD_REGISTER_CLONE_BUFFERS] = "CLONE_BUFFERS", [RINGD_REGISTER_SEND_MSG_RING] = "SEND_MSG_RING",
	[RINGD_REGISTER_ZCRX_IFQ] = "ZCRX_IFQ", [RINGD_REGISTER_RESIZE_RINGS] = "RESIZE_RINGS",
	[RINGD_REGISTER_MEM_REGION] = "MEM_REGION", [RINGD_REGISTER_QUERY] = "QUERY",
	[RINGD_REGISTER_ZCRX_CTRL] = "ZCRX_CTRL", [RINGD_REGISTER_BPF_FILTER] = "BPF_FILTER",
};
_Static_assert(RD_ARRAY_SIZE(register_names) == RINGD_REGISTER_LAST, "every call has a name");

const char *rd_local_op_name(unsigned int opcode)
{
	static char number[16];
	const char *name = rd_ops[opcode & RD_OP_MASK].name;

	if (opcode < RINGD_OP_LAST && name)
		return name;
	snprintf(number, sizeof(number), "%u", opcode);
	return number;
}

const char *rd_local_register_name(unsigned int opcode)
{
	static char number[16];

	if (opcode < RD_ARRAY_SIZE(register_names))
		return register_names[opcode];
	snprintf(number, sizeof(number), "%u", opcode);
	return number;
}

void rd_local_add_flags(struct rd_text *t, uint32_t flags)
{
	const char *bar = "";

	if (!flags)
		rd_text_add(t, "0");
	for (unsigned int i = 0; i < 32; i++) {
		if (!(flags & (1u << i)))
			continue;
		if (i < RD_ARRAY_SIZE(flag_names))
			rd_text_add(t, "%s%s", bar, flag_names[i]);
		else
			rd_text_add(t, "%s0x%x", bar, 1u << i);
		bar = "|";
	}
}
