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

	if (cf_register(NULL, RINGD_REGISTER_QUERY, &hdr, 0) != 0)
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
	if (cf_on(CF_KERNEL))
		return;		/* its numbers are those of its version */
	ck_assert_uint_eq(hdr->size, sizeof(*ops));
	ck_assert_uint_eq(ops->nr_request_opcodes, 65);
	ck_assert_uint_eq(ops->nr_register_opcodes, 38);
	ck_assert_uint_eq(ops->enter_flags, 0xff);
	ck_assert_uint_eq(ops->nr_query_opcodes, 3);
	/* only as much as there is room for */
	*hdr = (struct ringd_query_hdr){ .size = 4, .query_data = cf_addr(ops) };
	memset(ops, 0xee, sizeof(*ops));
	ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_QUERY, hdr, 0), 0);
	ck_assert_uint_eq(hdr->size, sizeof(*ops));
	ck_assert_uint_eq(ops->nr_request_opcodes, 65);
	ck_assert_uint_eq(ops->nr_register_opcodes, 0xeeeeeeee);
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
	struct task_set bad = nops_only;

	bad.head.flags = 1;
	if (cf_on(CF_KERNEL) && cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &bad, 0) == -EINVAL &&
	    cf_register(NULL, RINGD_REGISTER_QUERY, NULL, 0) == -EINVAL)
		cf_skip("no calls without a ring here");
}

static int drop_privileges(void)
{
	return setresuid(12001, 12001, 12001);
}

CF_TEST(who_may_restrict_itself, 446,
	"Task restriction without no_new_privs and without CAP_SYS_ADMIN -> -EACCES; second one -> -EPERM")
{
	pid_t child;

	need_task_restrictions();
	if (cf_on(CF_KERNEL))
		cf_skip("task restrictions are newer than the kernels this was measured on");
	child = cf_fork();
	if (!child) {
		struct cf_ring *ring = cf_ring_new(8, 0);

		(void)ring;
		if (getuid() == 0)
			ck_assert_int_eq(drop_privileges(), 0);
		ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 1), -EACCES);
		ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
		ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 2), -EINVAL);
		ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 1), 0);
		ck_assert_int_eq(cf_register(NULL, RINGD_REGISTER_RESTRICTIONS, &nops_only, 1), -EPERM);
		cf_child_end(0);
	}
	ck_assert_int_eq(cf_child_wait(child), 0);
}
