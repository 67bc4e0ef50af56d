/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto/abi.h against a kernel header, as far as that header goes: the host's <linux/io_uring.h>, and in a second
 * program (RD_ABI_LIBURING) the one that liburing brings along. And every value once more by itself, for what the
 * header is too old to know.
 *
 * C cannot ask whether an enumerator or a structure exists. But an inner scope may hide an outer one: stand-ins of all
 * names are declared at file scope and the header is included inside a function, so a name that it lacks is found as
 * the stand-in.
 */
#include <linux/fs.h>
#include <linux/time_types.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/abi.h"
#include "proto/wire.h"
#include "suite.h"

#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wredundant-decls"

#define ABSENT 0x5aa5a55a

enum {
#define X(theirs, ours, value) theirs = ABSENT,
#include "abi_names.h"
#undef X
};

/* S(kernel's name, ours) */
#define STRUCTS \
	S(io_uring_sqe, ringd_sqe) S(io_uring_cqe, ringd_cqe) S(io_uring_params, ringd_params) \
	S(io_sqring_offsets, ringd_sqring_offsets) S(io_cqring_offsets, ringd_cqring_offsets) \
	S(io_uring_getevents_arg, ringd_getevents_arg) S(io_uring_reg_wait, ringd_reg_wait) \
	S(io_uring_files_update, ringd_files_update) S(io_uring_rsrc_update, ringd_rsrc_update) \
	S(io_uring_rsrc_update2, ringd_rsrc_update2) S(io_uring_rsrc_register, ringd_rsrc_register) \
	S(io_uring_file_index_range, ringd_file_index_range) S(io_uring_clone_buffers, ringd_clone_buffers) \
	S(io_uring_buf, ringd_buf) S(io_uring_buf_ring, ringd_buf_ring) S(io_uring_buf_reg, ringd_buf_reg) \
	S(io_uring_buf_status, ringd_buf_status) S(io_uring_probe_op, ringd_probe_op) \
	S(io_uring_probe, ringd_probe) S(io_uring_restriction, ringd_restriction) \
	S(io_uring_task_restriction, ringd_task_restriction) S(io_uring_clock_register, ringd_clock_register) \
	S(io_uring_sync_cancel_reg, ringd_sync_cancel_reg) S(io_uring_napi, ringd_napi) \
	S(io_uring_region_desc, ringd_region_desc) S(io_uring_mem_region_reg, ringd_mem_region_reg) \
	S(io_uring_recvmsg_out, ringd_recvmsg_out) S(io_timespec, ringd_io_timespec) \
	S(io_uring_attr_pi, ringd_attr_pi) S(io_uring_zcrx_rqe, ringd_zcrx_rqe) S(io_uring_zcrx_cqe, ringd_zcrx_cqe) \
	S(io_uring_zcrx_offsets, ringd_zcrx_offsets) S(io_uring_zcrx_area_reg, ringd_zcrx_area_reg) \
	S(io_uring_zcrx_ifq_reg, ringd_zcrx_ifq_reg) S(zcrx_ctrl, ringd_zcrx_ctrl) \
	S(io_uring_query_hdr, ringd_query_hdr) S(io_uring_query_opcode, ringd_query_opcode) \
	S(io_uring_query_zcrx, ringd_query_zcrx) S(io_uring_query_scq, ringd_query_scq) \
	S(io_uring_bpf_filter, ringd_bpf_filter) S(io_uring_bpf, ringd_bpf) S(io_uring_bpf_ctx, ringd_bpf_ctx)

#define S(theirs, ours) \
	struct theirs { \
		char absent; \
	};
STRUCTS
#undef S

struct entry {
	const char *name;
	int64_t theirs;	/* ABSENT (sizes: 1) where the header has no such thing */
	int64_t ours;
	int64_t pinned;
};

static const struct entry *header_tables(size_t *n_consts, const struct entry **structs, size_t *n_structs,
					 const struct entry **members, size_t *n_members)
{
#ifdef RD_ABI_LIBURING
#include <liburing/io_uring.h>
#else
#include <linux/io_uring.h>
#endif
#define X(theirs, ours, value) { #ours, (int64_t)(theirs), (int64_t)(ours), (int64_t)(value) },
	static const struct entry consts[] = {
#include "abi_names.h"
	};
#undef X
#define S(theirs, ours) { #ours, sizeof(struct theirs), sizeof(struct ours), 0 },
	static const struct entry sizes[] = { STRUCTS };
#undef S
#define M(theirs, ours, member) { #ours "." #member, offsetof(struct theirs, member), offsetof(struct ours, member), 0 }
#define SQE(member) M(io_uring_sqe, ringd_sqe, member)
	static const struct entry offsets[] = {
		SQE(opcode), SQE(flags), SQE(ioprio), SQE(fd), SQE(off), SQE(addr2), SQE(cmd_op), SQE(addr),
		SQE(splice_off_in), SQE(len), SQE(rw_flags), SQE(fsync_flags), SQE(poll_events), SQE(poll32_events),
		SQE(sync_range_flags), SQE(msg_flags), SQE(timeout_flags), SQE(accept_flags), SQE(cancel_flags),
		SQE(open_flags), SQE(statx_flags), SQE(fadvise_advice), SQE(splice_flags), SQE(rename_flags),
		SQE(unlink_flags), SQE(hardlink_flags), SQE(xattr_flags), SQE(msg_ring_flags), SQE(user_data),
		SQE(buf_index), SQE(buf_group), SQE(personality), SQE(splice_fd_in), SQE(file_index), SQE(addr3),
		SQE(__pad2), SQE(cmd),
#ifdef IORING_FIXED_FD_NO_CLOEXEC
		SQE(waitid_flags), SQE(futex_flags), SQE(install_fd_flags), SQE(level), SQE(optname), SQE(optlen),
		SQE(optval),
#endif
#ifdef IORING_NOP_INJECT_RESULT
		SQE(nop_flags),
#endif
#ifdef IORING_RW_ATTR_FLAG_PI
		SQE(attr_ptr), SQE(attr_type_mask),
#endif
#ifdef IORING_CQE_F_32
		SQE(write_stream), SQE(zcrx_ifq_idx), SQE(pipe_flags),
#endif
		M(io_uring_cqe, ringd_cqe, res), M(io_uring_cqe, ringd_cqe, flags),
		M(io_uring_params, ringd_params, sq_thread_idle), M(io_uring_params, ringd_params, features),
		M(io_uring_params, ringd_params, wq_fd), M(io_uring_params, ringd_params, resv),
		M(io_uring_params, ringd_params, sq_off), M(io_uring_params, ringd_params, cq_off),
		M(io_sqring_offsets, ringd_sqring_offsets, dropped), M(io_sqring_offsets, ringd_sqring_offsets, array),
		M(io_cqring_offsets, ringd_cqring_offsets, overflow), M(io_cqring_offsets, ringd_cqring_offsets, cqes),
		M(io_cqring_offsets, ringd_cqring_offsets, flags),
		M(io_uring_getevents_arg, ringd_getevents_arg, sigmask_sz), M(io_uring_getevents_arg, ringd_getevents_arg, ts),
		M(io_uring_files_update, ringd_files_update, fds), M(io_uring_rsrc_update2, ringd_rsrc_update2, tags),
		M(io_uring_rsrc_update2, ringd_rsrc_update2, nr), M(io_uring_rsrc_register, ringd_rsrc_register, flags),
		M(io_uring_rsrc_register, ringd_rsrc_register, data), M(io_uring_rsrc_register, ringd_rsrc_register, tags),
		M(io_uring_probe, ringd_probe, ops_len), M(io_uring_probe, ringd_probe, ops),
		M(io_uring_probe_op, ringd_probe_op, flags), M(io_uring_buf, ringd_buf, len), M(io_uring_buf, ringd_buf, bid),
		M(io_uring_buf_ring, ringd_buf_ring, tail), M(io_uring_buf_reg, ringd_buf_reg, bgid),
		M(io_uring_restriction, ringd_restriction, sqe_op), M(io_uring_sync_cancel_reg, ringd_sync_cancel_reg, timeout),
	};

	*n_consts = sizeof(consts) / sizeof(consts[0]);
	*structs = sizes;
	*n_structs = sizeof(sizes) / sizeof(sizes[0]);
	*members = offsets;
	*n_members = sizeof(offsets) / sizeof(offsets[0]);
	return consts;
}

static const struct entry *consts, *structs, *members;
static size_t n_consts, n_structs, n_members;

START_TEST(constants_have_the_kernels_values)
{
	for (const struct entry *e = consts; e < consts + n_consts; e++) {
		ck_assert_msg(e->theirs == ABSENT || e->theirs == e->ours, "%s is %lld, the header says %lld", e->name,
			      (long long)e->ours, (long long)e->theirs);
		ck_assert_msg(e->pinned == e->ours, "%s is %lld, but is pinned to %lld", e->name, (long long)e->ours,
			      (long long)e->pinned);
	}
}
END_TEST

START_TEST(structures_have_the_kernels_sizes)
{
	for (const struct entry *e = structs; e < structs + n_structs; e++) {
		ck_assert_msg(e->theirs == 1 || e->theirs == e->ours, "%s has %lld bytes, the header says %lld", e->name,
			      (long long)e->ours, (long long)e->theirs);
	}
}
END_TEST

START_TEST(members_are_where_the_kernel_has_them)
{
	for (const struct entry *e = members; e < members + n_members; e++) {
		ck_assert_msg(e->theirs == e->ours, "%s is at %lld, the header says %lld", e->name, (long long)e->ours,
			      (long long)e->theirs);
	}
}
END_TEST

/* Otherwise a header that went missing would pass everything above. */
START_TEST(the_header_knows_most_names)
{
	size_t consts_known = 0, structs_known = 0;

	for (size_t i = 0; i < n_consts; i++)
		consts_known += consts[i].theirs != ABSENT;
	for (size_t i = 0; i < n_structs; i++)
		structs_known += structs[i].theirs != 1;
	ck_assert_uint_ge(consts_known, 150);
	ck_assert_uint_ge(structs_known, 18);
}
END_TEST

START_TEST(masks_cover_exactly_the_named_bits)
{
	static const char *const prefixes[] = { "RINGD_SETUP_", "RINGD_FEAT_", "RINGD_ENTER_", "RINGD_SQE_" };
	static const uint64_t masks[] = { RINGD_SETUP_ALL, RINGD_FEAT_ALL, RINGD_ENTER_ALL, RINGD_SQE_FLAGS_ALL };

	for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
		uint64_t bits = 0;

		for (size_t i = 0; i < n_consts; i++) {
			size_t len = strlen(consts[i].name);

			if (strncmp(consts[i].name, prefixes[m], strlen(prefixes[m])) == 0 &&
			    strcmp(consts[i].name + len - 4, "_BIT") != 0)
				bits |= (uint64_t)consts[i].ours;
		}
		ck_assert_msg(bits == masks[m], "%sALL is %#llx, its bits are %#llx", prefixes[m],
			      (unsigned long long)masks[m], (unsigned long long)bits);
	}
}
END_TEST

/* Numbers without a gap, each used once: the opcode table is indexed with them. */
static void assert_dense(const char *const prefixes[], unsigned int last)
{
	bool seen[256] = { false };

	for (size_t i = 0; i < n_consts; i++)
		for (size_t p = 0; prefixes[p]; p++) {
			if (strncmp(consts[i].name, prefixes[p], strlen(prefixes[p])) != 0 ||
			    consts[i].ours < 0 || consts[i].ours > 255 ||
			    strcmp(consts[i].name, "RINGD_OP_SUPPORTED") == 0 ||
			    strncmp(consts[i].name, "RINGD_REGISTER_SRC_", 19) == 0 ||
			    strncmp(consts[i].name, "RINGD_REGISTER_DST_", 19) == 0)
				continue;
			ck_assert_msg(!seen[consts[i].ours], "%s has a number that is taken", consts[i].name);
			seen[consts[i].ours] = true;
		}
	for (unsigned int i = 0; i < 256; i++)
		ck_assert_msg(seen[i] == (i < last), "number %u", i);
}

START_TEST(opcodes_are_dense)
{
	static const char *const request[] = { "RINGD_OP_", NULL };
	static const char *const reg[] = { "RINGD_REGISTER_", "RINGD_UNREGISTER_", NULL };

	assert_dense(request, RINGD_OP_LAST);
	assert_dense(reg, RINGD_REGISTER_LAST);
}
END_TEST

/* Both ends of the control socket may be of different builds. */
START_TEST(control_messages_keep_their_layout)
{
	ck_assert_uint_eq(sizeof(struct ringd_msg), 16);
	ck_assert_uint_eq(sizeof(struct ringd_error), 16 + RINGD_TEXT_MAX);
	ck_assert_uint_eq(sizeof(struct ringd_hello), 48);
	ck_assert_uint_eq(sizeof(struct ringd_welcome), 160);
	ck_assert_uint_eq(offsetof(struct ringd_welcome, limits), 32);
	ck_assert_uint_eq(sizeof(struct ringd_ring_create), 144);
	ck_assert_uint_eq(offsetof(struct ringd_ring_create, scratch_base), 136);
	ck_assert_uint_eq(sizeof(struct ringd_ring_created), 168);
	ck_assert_uint_eq(offsetof(struct ringd_ring_created, ring_id), 136);
	ck_assert_uint_eq(offsetof(struct ringd_ring_created, rings_size), 144);
	ck_assert_uint_eq(sizeof(struct ringd_ring_ref), 24);
	ck_assert_uint_eq(sizeof(struct ringd_arena_create), 40);
	ck_assert_uint_eq(sizeof(struct ringd_arena_created), 32);
	ck_assert_uint_eq(sizeof(struct ringd_arena_ref), 24);
	ck_assert_uint_eq(sizeof(struct ringd_register), 32);
	ck_assert_uint_eq(sizeof(struct ringd_registered), 16);
	ck_assert_uint_eq(sizeof(struct ringd_resize), 128);
	ck_assert_uint_eq(offsetof(struct ringd_resize, scratch_base), 120);
	ck_assert_uint_eq(sizeof(struct ringd_resized), 152);
	ck_assert_uint_eq(offsetof(struct ringd_resized, rings_size), 128);
}
END_TEST

/* One writer per pair of cache lines. */
START_TEST(hot_words_do_not_share_cache_lines)
{
	ck_assert_uint_eq(offsetof(struct ringd_hot, sq_tail), 0);
	ck_assert_uint_eq(offsetof(struct ringd_hot, cq_head), 128);
	ck_assert_uint_eq(offsetof(struct ringd_hot, wait), 256);
	ck_assert_uint_eq(offsetof(struct ringd_hot, waiting), 264);
	ck_assert_uint_eq(offsetof(struct ringd_hot, cq_tail), 384);
	ck_assert_uint_eq(offsetof(struct ringd_hot, tasks), 400);
	ck_assert_uint_eq(offsetof(struct ringd_hot, sq_flags), 512);
	ck_assert_uint_eq(sizeof(struct ringd_hot), 640);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("abi");
	TCase *kernel = tcase_create("kernel"), *own = tcase_create("own");

	consts = header_tables(&n_consts, &structs, &n_structs, &members, &n_members);
	tcase_add_test(kernel, constants_have_the_kernels_values);
	tcase_add_test(kernel, structures_have_the_kernels_sizes);
	tcase_add_test(kernel, members_are_where_the_kernel_has_them);
	tcase_add_test(kernel, the_header_knows_most_names);
	tcase_add_test(own, masks_cover_exactly_the_named_bits);
	tcase_add_test(own, opcodes_are_dense);
	tcase_add_test(own, control_messages_keep_their_layout);
	tcase_add_test(own, hot_words_do_not_share_cache_lines);
	suite_add_tcase(s, kernel);
	suite_add_tcase(s, own);
	return rd_suite_main(s);
}
