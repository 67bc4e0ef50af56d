/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restrictions, registration, resize, query */
#include <sched.h>
#include <sys/prctl.h>

#include "cf.h"

/* --- arguments --- */

CF_TEST(calls_without_a_ring, 450, "Register opcode 38 -> -EINVAL; any opcode with fd -1 other than 11, 31, 35, 37 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const uint32_t limits[2] = { 0, 0 };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_LAST, NULL, 0), -EINVAL);
	for (unsigned int op = 0; op < RINGD_REGISTER_LAST + 2; op++) {
		if (op != RINGD_REGISTER_RESTRICTIONS && op != RINGD_REGISTER_SEND_MSG_RING && op != RINGD_REGISTER_QUERY &&
		    op != RINGD_REGISTER_BPF_FILTER)
			ck_assert_int_eq(cf_register(NULL, op, limits, 2), -EINVAL);
	}
}

CF_TEST(probe, 452, "Probe with a non-zero buffer or nr 257 -> -EINVAL; otherwise last_op 64")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_probe *p = cf_alloc(sizeof(*p) + 256 * sizeof(p->ops[0]), 0);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PROBE, p, 257), -EINVAL);
	p->ops[3].resv2 = 1;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PROBE, p, 256), -EINVAL);
	p->ops[3].resv2 = 0;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PROBE, p, 256), 0);
	ck_assert_uint_eq(p->ops_len, p->last_op + 1);
	if (cf_on(CF_RINGD))
		ck_assert_uint_eq(p->last_op, 64);	/* a kernel has those of its own version */
	ck_assert_uint_eq(p->ops[RINGD_OP_NOP].flags, RINGD_OP_SUPPORTED);
}

/* --- query --- */

static void need_query(void)
{
	struct ringd_query_hdr hdr = { .query_op = 12345, .size = 8 };

	/* kernels look at the data before they look whether they know the item */
	if (cf_register(NULL, RINGD_REGISTER_QUERY, &hdr, 0) == -EINVAL)
		cf_skip("REGISTER_QUERY is not known here");
}

CF_TEST(an_empty_query, 453, "Query with a NULL chain -> 0")
{
	need_query();
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, NULL, 0), 0);
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, NULL, 1), -EINVAL);
}

CF_TEST(odd_queries, 454,
	"Query of an unknown item -> call 0, entry result -EOPNOTSUPP and size 0; looping chain -> -ERANGE; resv non-zero -> entry -EINVAL")
{
	struct ringd_query_hdr *hdr = cf_alloc(2 * sizeof(*hdr), 0);
	struct ringd_query_opcode *data = cf_alloc(sizeof(*data), 0);

	need_query();
	hdr[0] = (struct ringd_query_hdr){ .query_op = 99, .size = 48, .query_data = cf_addr(data), .next_entry = cf_addr(&hdr[1]) };
	hdr[1] = (struct ringd_query_hdr){ .size = 48, .query_data = cf_addr(data), .__resv = { 0, 1, 0 } };
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, hdr, 0), 0);
	ck_assert_int_eq(hdr[0].result, -EOPNOTSUPP);
	ck_assert_uint_eq(hdr[0].size, 0);
	ck_assert_int_eq(hdr[1].result, -EINVAL);
	ck_assert_uint_eq(hdr[1].size, 0);
	hdr[0] = (struct ringd_query_hdr){ .query_op = 99, .size = 48, .query_data = cf_addr(data), .next_entry = cf_addr(hdr) };
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, hdr, 0), -ERANGE);
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, (void *)8, 0), -EFAULT);
	hdr[0] = (struct ringd_query_hdr){ .size = 48, .query_data = 8 };
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, hdr, 0), -EFAULT);
}

CF_TEST(query_of_opcodes, 455, "Query item 0 -> 65 opcodes, 38 register opcodes and the masks of the index file")
{
	struct ringd_query_hdr *hdr = cf_alloc(sizeof(*hdr), 0);
	struct ringd_query_opcode *ops = cf_alloc(sizeof(*ops) + 64, 0);

	need_query();
	*hdr = (struct ringd_query_hdr){ .size = sizeof(*ops) + 64, .query_data = cf_addr(ops) };
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, hdr, 0), 0);
	ck_assert_int_eq(hdr->result, 0);
	ck_assert_uint_eq(ops->sqe_flags, 0x7f);
	/* only as much as there is room for */
	*hdr = (struct ringd_query_hdr){ .size = 4, .query_data = cf_addr(ops) };
	memset(ops, 0xee, sizeof(*ops));
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, hdr, 0), 0);
	ck_assert_uint_eq(hdr->size, 4);
	ck_assert_uint_ne(ops->nr_request_opcodes, 0xeeeeeeee);
	ck_assert_uint_eq(ops->nr_register_opcodes, 0xeeeeeeee);
	*hdr = (struct ringd_query_hdr){ .size = sizeof(*ops) + 64, .query_data = cf_addr(ops) };
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, hdr, 0), 0);
	if (cf_on(CF_KERNEL))
		return;		/* its numbers are those of its version */
	ck_assert_uint_eq(hdr->size, sizeof(*ops));
	ck_assert_uint_eq(ops->nr_request_opcodes, 65);
	ck_assert_uint_eq(ops->nr_register_opcodes, 38);
	ck_assert_uint_eq(ops->enter_flags, 0xff);
	ck_assert_uint_eq(ops->nr_query_opcodes, 3);
}

/* --- workers --- */

CF_TEST(worker_limits, 463, "Worker limits call with {0,0} -> current values returned, nothing changed; nr 1 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint32_t v[2] = { 0, 0 }, again[2] = { 0, 0 }, set[2] = { 2, 3 };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, v, 1), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, NULL, 2), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, v, 2), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, again, 2), 0);
	ck_assert_mem_eq(v, again, sizeof(v));
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, set, 2), 0);
	ck_assert_mem_eq(v, set, sizeof(v));
	again[0] = again[1] = 0;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, again, 2), 0);
	ck_assert_uint_eq(again[0], 2);
	ck_assert_uint_eq(again[1], 3);
	/* in the service the next test has the same workers */
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, v, 2), 0);
}

CF_TEST(worker_affinity, 464, "Worker affinity with nr 0 or NULL -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	cpu_set_t cpus;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_AFF, &cpus, 0), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_AFF, NULL, sizeof(cpus)), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_AFF, &cpus, sizeof(cpus)), 0);
	CPU_SET(CPU_SETSIZE - 1, &cpus);	/* no machine of these tests has it */
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_AFF, &cpus, sizeof(cpus)), 0);
	CPU_ZERO(&cpus);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_IOWQ_AFF, &cpus, sizeof(cpus)), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_IOWQ_AFF, &cpus, 0), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_IOWQ_AFF, NULL, 0), 0);
}

/* --- the task --- */

struct task_set {
	struct ringd_task_restriction head;
	struct ringd_restriction list[2];
};

static const struct task_set nops_only = {
	.head = { .nr_res = 1 },
	.list = { { .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP } },
};

static void need_task_restrictions(void)
{
	if (cf_on(CF_KERNEL))
		cf_skip("restrictions of a task are newer than the kernels this was measured on");
}

CF_TEST(who_may_restrict_itself, 446,
	"Task restriction without no_new_privs and without CAP_SYS_ADMIN -> -EACCES; second one -> -EPERM")
{
	pid_t child;

	need_task_restrictions();
	child = cf_fork();
	if (!child) {
		cf_child_begin();
		if (getuid() == 0)
			ck_assert_int_eq(setresuid(12001, 12001, 12001), 0);
		ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 1), -EACCES);
		ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
		ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 2), -EINVAL);
		ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 1), 0);
		ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 1), -EPERM);
		cf_child_end(0);
	}
	ck_assert_int_eq(cf_child_wait(child), 0);
}

static int read_and_nop(struct cf_ring *ring)
{
	cf_sqe(ring, RINGD_OP_NOP);
	ck_assert_int_eq(cf_run(ring), 0);
	cf_sqe(ring, RINGD_OP_READ);
	return cf_run(ring);
}

CF_TEST(children_are_restricted_too, 447, "Child of a restricted task creates a ring -> restricted")
{
	struct cf_ring *before = cf_ring_new(8, 0);
	pid_t child;

	need_task_restrictions();
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 1), 0);
	ck_assert_int_eq(read_and_nop(cf_ring_new(8, 0)), -EACCES);
	ck_assert_int_eq(read_and_nop(before), -EBADF);
	child = cf_fork();
	if (!child) {
		cf_child_begin();
		ck_assert_int_eq(read_and_nop(cf_ring_new(8, 0)), -EACCES);
		cf_child_end(0);
	}
	ck_assert_int_eq(cf_child_wait(child), 0);
}

/* --- a ring's own restrictions --- */

static struct cf_ring *restricted(const struct ringd_restriction *list, unsigned int nr)
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_R_DISABLED);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RESTRICTIONS, list, nr), 0);
	return ring;
}

CF_TEST(when_a_ring_can_be_restricted, 442,
	"ENABLE_RINGS on an enabled ring -> -EBADFD; RESTRICTIONS on an enabled ring -> -EBADFD; RESTRICTIONS twice -> -EBUSY")
{
	const struct ringd_restriction list[2] = {
		{ .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP },
		{ .opcode = RINGD_RESTRICTION_REGISTER_OP, .register_op = RINGD_REGISTER_ENABLE_RINGS },
	};
	struct cf_ring *ring = cf_ring_new(8, 0);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), -EBADFD);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RESTRICTIONS, list, 2), -EBADFD);
	ring = restricted(list, 2);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RESTRICTIONS, list, 2), -EBUSY);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), -EBADFD);
}

CF_TEST(an_opcode_that_is_not_listed, 443, "Restricted ring, SQE opcode not in the list -> CQE -EACCES")
{
	const struct ringd_restriction list = { .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP };
	struct cf_ring *ring = restricted(&list, 1);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	ck_assert_int_eq(read_and_nop(ring), -EACCES);
}

CF_TEST(flags_that_are_not_listed, 444, "Restricted ring, SQE flags outside the allowed set or missing a required flag -> CQE -EACCES")
{
	const struct ringd_restriction list[3] = {
		{ .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP },
		{ .opcode = RINGD_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = RINGD_SQE_IO_LINK },
		{ .opcode = RINGD_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = RINGD_SQE_ASYNC },
	};
	static const struct {
		uint8_t flags;
		int res;
	} cases[] = {
		{ 0, -EACCES }, { RINGD_SQE_ASYNC, 0 }, { RINGD_SQE_ASYNC | RINGD_SQE_IO_LINK, 0 }, { RINGD_SQE_IO_LINK, -EACCES },
		{ RINGD_SQE_ASYNC | RINGD_SQE_IO_DRAIN, -EACCES },
	};
	struct cf_ring *ring = restricted(list, 3);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cf_sqe(ring, RINGD_OP_NOP)->flags = cases[i].flags;
		ck_assert_int_eq(cf_run(ring), cases[i].res);
	}
}

CF_TEST(calls_that_are_not_listed, 445, "Restricted ring, register opcode not in the list -> -EACCES; while still disabled -> allowed")
{
	const struct ringd_restriction list = { .opcode = RINGD_RESTRICTION_REGISTER_OP, .register_op = RINGD_UNREGISTER_FILES };
	struct cf_ring *ring = restricted(&list, 1);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 0), 1);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 0), -EACCES);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_FILES, NULL, 0), -ENXIO);
}

CF_TEST(odd_restrictions, 442, "RESTRICTIONS with an unknown entry, opcode, flag or a reserved field set -> -EINVAL, and nothing is restricted")
{
	const struct ringd_restriction odd[] = {
		{ .opcode = RINGD_RESTRICTION_LAST }, { .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = 255 },
		{ .opcode = RINGD_RESTRICTION_REGISTER_OP, .register_op = 255 },
	};
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_R_DISABLED);

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RESTRICTIONS, &odd[i], 1), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RESTRICTIONS, NULL, 3), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	ck_assert_int_eq(read_and_nop(ring), -EBADF);
}

/* --- filters --- */

CF_TEST(no_filters, 448, "BPF filter that returns 0 for an opcode -> CQE -EACCES; a second permissive filter does not help")
{
	struct ringd_bpf bpf = { .cmd_type = RINGD_BPF_CMD_FILTER, .filter = { .opcode = RINGD_OP_NOP } };

	if (cf_on(CF_KERNEL))
		cf_skip("filters are newer than the kernels this was measured on");
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_BPF_FILTER, &bpf, 1), -EINVAL);
	ck_assert_int_eq(cf_register(cf_ring_new(8, 0), RINGD_REGISTER_BPF_FILTER, &bpf, 1), -EINVAL);
}
CF_DIFFERS(no_filters, CF_RINGD, "ringd has no filters, as a kernel that was built without them: the call is -EINVAL")

CF_TEST(odd_filters, 449, "BPF filter with 0 or 4097 instructions -> -EINVAL; with SZ_STRICT and a wrong payload size -> -EMSGSIZE")
{
	struct ringd_bpf bpf = { .cmd_type = RINGD_BPF_CMD_FILTER, .filter = { .opcode = RINGD_OP_NOP, .filter_len = 4097 } };

	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_BPF_FILTER, &bpf, 1), -EINVAL);
	bpf.filter.filter_len = 0;
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_BPF_FILTER, &bpf, 1), -EINVAL);
}
CF_DIFFERS(odd_filters, CF_RINGD, "ringd has no filters: every call is -EINVAL, also one with a wrong payload size")

/* --- personalities --- */

CF_TEST(personalities, 312, "Personality 9 never registered -> -EINVAL; first registered personality -> id 1; unregister twice -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe(ring, RINGD_OP_NOP)->personality = 9;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 1), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 0), 1);
	cf_sqe(ring, RINGD_OP_NOP)->personality = 1;
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_PERSONALITY, NULL, 1), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_PERSONALITY, NULL, 1), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 0), 2);
}

/* --- registered rings --- */

CF_TEST(slots_of_registered_rings, 456, "Ring fd registration with offset -1 -> slot written back; busy slot -> -EBUSY; 17 entries -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_rsrc_update ups[17];

	for (unsigned int i = 0; i < 17; i++)
		ups[i] = (struct ringd_rsrc_update){ .offset = UINT32_MAX, .data = (uint64_t)ring->fd };
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, ups, 17), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, ups, 0), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, ups, 2), 2);
	ck_assert_uint_eq(ups[0].offset, 0);
	ck_assert_uint_eq(ups[1].offset, 1);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, &ups[1], 1), -EBUSY);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, &ups[2], 15), 14);
	ck_assert_uint_eq(ups[15].offset, 15);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, &ups[16], 1), -EBUSY);
	ups[2].offset = 16;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, &ups[2], 1), -EINVAL);
	ups[3].resv = 1;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, &ups[3], 1), -EINVAL);
	/* an empty slot counts as done */
	for (unsigned int i = 0; i < 2; i++) {
		ups[0] = (struct ringd_rsrc_update){ .offset = 7 };
		ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_RING_FDS, ups, 1), 1);
	}
	ups[0].offset = 16;
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_RING_FDS, ups, 1), -EINVAL);
}

CF_TEST(a_registered_ring_outlives_its_descriptor, 457, "Registered ring fd, original fd closed -> enter through the index still works")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_rsrc_update up = { .offset = 5, .data = (uint64_t)ring->fd };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, &up, 1), 1);
	cf_sqe(ring, RINGD_OP_NOP);
	cf_publish(ring);
	cf_ring_free(ring);
	ck_assert_int_eq(cf_enter_registered(5, 1, 1, RINGD_ENTER_GETEVENTS, NULL, 0), 1);
}

static int enter_5(void *arg)
{
	(void)arg;
	return cf_enter_registered(5, 0, 0, 0, NULL, 0);
}

CF_TEST(a_number_of_another_thread, 458, "Registered index used from another thread -> -EINVAL or -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_rsrc_update up = { .offset = 5, .data = (uint64_t)ring->fd };
	int r;

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, &up, 1), 1);
	ck_assert_int_eq(enter_5(NULL), 0);
	r = cf_in_thread(enter_5, NULL);
	ck_assert(r == -EINVAL || r == -EBADF);
}

/* --- memory regions --- */

static int region(struct cf_ring *ring, struct ringd_region_desc *desc, uint64_t flags)
{
	struct ringd_mem_region_reg reg = { .region_uptr = cf_addr(desc), .flags = flags };

	return cf_register(ring, RINGD_REGISTER_MEM_REGION, &reg, 1);
}

static void need_regions(void)
{
	struct ringd_region_desc desc = { .size = 4096 };
	struct ringd_mem_region_reg reg = { .region_uptr = cf_addr(&desc) };

	cf_need_register(cf_ring_new(8, 0), RINGD_REGISTER_MEM_REGION, &reg, 1);
}

CF_TEST(one_region_per_ring, 420, "Memory region registered twice -> -EBUSY; with WAIT_ARG on an enabled ring -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_region_desc a = { .size = 4096 }, b = { .size = 4096 };

	need_regions();
	ck_assert_int_eq(region(ring, &a, RINGD_MEM_REGION_REG_WAIT_ARG), -EINVAL);
	ck_assert_int_eq(region(ring, &a, 0), 0);
	ck_assert_int_eq(region(ring, &b, 0), -EBUSY);
}

CF_TEST(odd_regions, 421,
	"Region with the USER flag and no address, or an address and no flag -> -EFAULT; size 0 or unaligned -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *mem = cf_alloc(8192, 4096);
	struct ringd_region_desc d = { .size = 4096, .flags = RINGD_MEM_REGION_TYPE_USER };

	need_regions();
	ck_assert_int_eq(region(ring, &d, 0), -EFAULT);
	d = (struct ringd_region_desc){ .size = 4096, .user_addr = cf_addr(mem) };
	ck_assert_int_eq(region(ring, &d, 0), -EFAULT);
	d = (struct ringd_region_desc){ .size = 0 };
	ck_assert_int_eq(region(ring, &d, 0), -EINVAL);
	d.size = 4095;
	ck_assert_int_eq(region(ring, &d, 0), -EINVAL);
	d = (struct ringd_region_desc){ .size = 4096, .flags = RINGD_MEM_REGION_TYPE_USER, .user_addr = cf_addr(mem + 64) };
	ck_assert_int_eq(region(ring, &d, 0), -EINVAL);
	d = (struct ringd_region_desc){ .size = 4096, .flags = 2 };
	ck_assert_int_eq(region(ring, &d, 0), -EINVAL);
	d = (struct ringd_region_desc){ .size = 4096, .__resv = { 0, 1, 0, 0 } };
	ck_assert_int_eq(region(ring, &d, 0), -EINVAL);
}

CF_TEST(region_of_the_server, 422, "Server-allocated region -> mmap_offset 0x20000000 returned and mappable")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_region_desc d = { .size = 8192 };
	char *p;

	need_regions();
	ck_assert_int_eq(region(ring, &d, 0), 0);
	ck_assert_uint_eq(d.mmap_offset, RINGD_OFF_PARAM_REGION);
	p = cf_map_region(ring, 8192);
	for (int i = 0; i < 8192; i++)
		ck_assert_int_eq(p[i], 0);
	p[8191] = 1;
}
