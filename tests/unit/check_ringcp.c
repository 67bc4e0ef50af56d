/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringcp's parts that need no ring: paths, ranges of data, the progress line, modes, where a source goes. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/suite.h"
#include "tools/ringcp.h"

static char dir[64];

static void setup(void)
{
	strcpy(dir, "/tmp/check_ringcp.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	char cmd[96];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(system(cmd), 0);
}

/* --- paths --- */

START_TEST(paths_are_built_from_the_names_above)
{
	char top_src[] = "/a", top_dst[] = "", name_src[] = "sub", name_dst[] = "copy";
	struct cp_dir top = { .src_name = top_src, .dst_name = top_dst };
	struct cp_dir sub = { .parent = &top, .src_name = name_src, .dst_name = name_dst };
	char buf[64];
	char *full;

	ck_assert_int_eq(cp_path_src(buf, sizeof(buf), &sub, "f"), 0);
	ck_assert_str_eq(buf, "/a/sub/f");
	ck_assert_int_eq(cp_path_dst(buf, sizeof(buf), &sub, "f"), 0);
	ck_assert_str_eq(buf, "/copy/f");
	full = cp_path_src_full(&sub, "f");
	ck_assert_str_eq(full, "/a/sub/f");
	free(full);
}
END_TEST

START_TEST(a_path_that_does_not_fit_is_refused)
{
	char top[] = "/a";
	struct cp_dir d = { .src_name = top, .dst_name = top };
	char buf[6];

	ck_assert_int_eq(cp_path_src(buf, sizeof(buf), &d, "bc"), 0);	/* "/a/bc" and its zero */
	ck_assert_int_eq(cp_path_src(buf, sizeof(buf), &d, "bcd"), -ENAMETOOLONG);
}
END_TEST

/* --- data and zeros --- */

START_TEST(the_part_with_data_is_found_to_the_block)
{
	static char buf[64 * 1024];
	size_t from, to;

	memset(buf, 0, sizeof(buf));
	ck_assert(!cp_nonzero_part(buf, sizeof(buf), &from, &to));
	buf[10000] = 1;
	ck_assert(cp_nonzero_part(buf, sizeof(buf), &from, &to));
	ck_assert_uint_eq(from, 8192);
	ck_assert_uint_eq(to, 12288);
	buf[0] = buf[sizeof(buf) - 1] = 1;
	ck_assert(cp_nonzero_part(buf, sizeof(buf), &from, &to));
	ck_assert_uint_eq(from, 0);
	ck_assert_uint_eq(to, sizeof(buf));
}
END_TEST

START_TEST(a_length_that_is_no_block_multiple_loses_nothing)
{
	static char buf[10001];
	size_t from, to;

	memset(buf, 0, sizeof(buf));
	buf[10000] = 7;
	ck_assert(cp_nonzero_part(buf, sizeof(buf), &from, &to));
	ck_assert_uint_eq(from, 8192);
	ck_assert_uint_eq(to, 10001);
	buf[10000] = 0;
	ck_assert(!cp_nonzero_part(buf, sizeof(buf), &from, &to));
	ck_assert(!cp_nonzero_part(buf, 0, &from, &to));
}
END_TEST

START_TEST(without_a_descriptor_all_is_data)
{
	struct cp_extents x;
	off_t start, end;

	cp_extents_init(&x, -1, 1000);
	ck_assert(cp_extents_next(&x, &start, &end));
	ck_assert_int_eq(start, 0);
	ck_assert_int_eq(end, 1000);
	ck_assert(!cp_extents_next(&x, &start, &end));
	cp_extents_init(&x, -1, 0);
	ck_assert(!cp_extents_next(&x, &start, &end));
}
END_TEST

START_TEST(ranges_cover_all_data_and_stay_inside)
{
	int fd = open("sparse", O_RDWR | O_CREAT, 0600);
	off_t start, end, last = 0, data = 0;
	struct cp_extents x;
	bool seen = false;

	ck_assert_int_eq(ftruncate(fd, 10 << 20), 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, 5 << 20), 1);
	cp_extents_init(&x, fd, 10 << 20);
	while (cp_extents_next(&x, &start, &end)) {
		ck_assert_int_ge(start, last);
		ck_assert_int_gt(end, start);
		ck_assert_int_le(end, 10 << 20);
		seen |= start <= 5 << 20 && end > 5 << 20;
		data += end - start;
		last = end;
	}
	ck_assert(seen);
	ck_assert_int_le(data, 10 << 20);
	cp_extents_deinit(&x);
	ck_assert_int_eq(x.fd, -1);
}
END_TEST

/* --- progress --- */

static struct cp_progress half_done(void)
{
	return (struct cp_progress){ .verb = "copied", .bytes = 512 << 20, .total_bytes = 1 << 30, .files = 7, .total_files = 9 };
}

START_TEST(the_line_tells_bytes_files_and_rate)
{
	struct cp_progress p = half_done();
	char line[200];

	cp_progress_format(line, sizeof(line), 120, &p, 2000000000);
	ck_assert_ptr_nonnull(strstr(line, "copied 512 MiB/1.0 GiB, 7 files, 256 MiB/s"));
	ck_assert_ptr_nonnull(strstr(line, "=>"));
	ck_assert_ptr_nonnull(strstr(line, "]  50% "));
}
END_TEST

START_TEST(the_line_never_reaches_the_last_column)
{
	struct cp_progress p = half_done();
	char line[300];

	for (unsigned int width = 0; width < 250; width++) {
		size_t n = cp_progress_format(line, sizeof(line), width, &p, 1000000000);

		ck_assert_uint_lt(n, width ? width : 1);
		if (n)
			ck_assert_uint_eq(strlen(line), n);
	}
}
END_TEST

START_TEST(totals_that_are_not_known_give_no_bar)
{
	struct cp_progress p = { .verb = "copied", .bytes = 100, .files = 1 };
	char line[200];

	cp_progress_format(line, sizeof(line), 120, &p, 1000000000);
	ck_assert_str_eq(line, "copied 100 B, 1 files, 100 B/s");
	p.total_files = 2;	/* empty files only: the share is that of files */
	cp_progress_format(line, sizeof(line), 120, &p, 1000000000);
	ck_assert_ptr_nonnull(strstr(line, " 50% "));
}
END_TEST

START_TEST(bytes_have_units)
{
	char s[32];

	cp_format_bytes(s, sizeof(s), 0);
	ck_assert_str_eq(s, "0 B");
	cp_format_bytes(s, sizeof(s), 1536);
	ck_assert_str_eq(s, "1.5 KiB");
	cp_format_bytes(s, sizeof(s), 3e18);
	ck_assert_str_eq(s, "2.6 EiB");
}
END_TEST

/* --- metadata --- */

START_TEST(set_id_bits_go_only_with_their_owner)
{
	struct cp cp = { .o = { .keep_mode = true, .keep_times = true } };
	struct stat src = { .st_mode = S_IFREG | 06755, .st_uid = 1, .st_gid = 1 };
	struct stat dst = { .st_mode = S_IFREG | 0755, .st_uid = 2, .st_gid = 2 };

	ck_assert_ptr_null(cp_meta_compare(&cp, &src, &dst));
	dst.st_mode = S_IFREG | 04755;
	ck_assert_str_eq(cp_meta_compare(&cp, &src, &dst), "differs in mode");
	dst.st_uid = 1;
	ck_assert_ptr_null(cp_meta_compare(&cp, &src, &dst));
}
END_TEST

START_TEST(every_kept_attribute_is_compared)
{
	struct cp cp = { .o = { .keep_mode = true, .keep_times = true } };
	struct stat src = { .st_mode = S_IFREG | 0644, .st_size = 5, .st_mtim = { 1, 2 } }, dst = src;

	ck_assert_ptr_null(cp_meta_compare(&cp, &src, &dst));
	dst.st_mtim.tv_nsec = 3;
	ck_assert_str_eq(cp_meta_compare(&cp, &src, &dst), "differs in modification time");
	dst = src;
	dst.st_size = 6;
	ck_assert_str_eq(cp_meta_compare(&cp, &src, &dst), "differs in size");
	dst = src;
	dst.st_mode = S_IFLNK | 0644;
	ck_assert_str_eq(cp_meta_compare(&cp, &src, &dst), "is of another type");
}
END_TEST

/* --- where a source goes --- */

static char *target(const char *src, const char *dst, bool no_target_dir)
{
	char *sources[] = { (char *)src };
	struct cp cp = { .o = { .sources = sources, .n_sources = 1, .dst = dst, .no_target_dir = no_target_dir } };
	struct cp_target t;
	char *path = NULL;

	if (cp_target_resolve(&cp, &t, src) == 0)
		ck_assert_int_gt(asprintf(&path, "%s/%s", t.dst_path + strlen(dir), t.dst_name), 0);
	else
		ck_assert_uint_eq(cp.errors, 1);
	cp_target_deinit(&t);
	return path;
}

static const struct {
	const char *src, *dst;
	bool no_target_dir;
	const char *path;	/* below dir; NULL: refused */
} targets[] = {
	{ "file", "new", false, "/new" }, { "file", "d", false, "/d/file" }, { "file", "d/", false, "/d/file" },
	{ "file", "new/", false, NULL }, { "file", "d", true, "/d" }, { "file", "d/link", false, "/file" },
	{ "file", "dangling", false, NULL }, { "file", "nowhere/x", false, NULL },
	{ "d", "new", false, "/new" }, { "d", "new/", false, "/new" }, { "d/", "e", false, "/e/d" },
	{ "d", "e", true, "/e" }, { "d", "d", false, NULL }, { "d", "d/sub", false, NULL }, { "d", "d/sub/x", false, NULL },
	{ "d/.", "e", false, "/e" }, { ".", "e", false, NULL }, { "dlink", "e", false, "/e/dlink" },
	{ "dlink/", "e", false, "/e/d" }, { "d", "dx", false, "/dx" }, { "missing", "e", false, NULL },
};

START_TEST(sources_go_where_cp_would_put_them)
{
	char *path;

	ck_assert_int_eq(system("touch file; mkdir -p d/sub e; ln -s ../file d/link; ln -s nothing dangling; ln -s d dlink"), 0);
	path = target(targets[_i].src, targets[_i].dst, targets[_i].no_target_dir);
	if (targets[_i].path)
		ck_assert_str_eq(path, targets[_i].path);
	else
		ck_assert_ptr_null(path);
	free(path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ringcp");
	TCase *tc = tcase_create("parts"), *files = tcase_create("files");

	tcase_add_test(tc, paths_are_built_from_the_names_above);
	tcase_add_test(tc, a_path_that_does_not_fit_is_refused);
	tcase_add_test(tc, the_part_with_data_is_found_to_the_block);
	tcase_add_test(tc, a_length_that_is_no_block_multiple_loses_nothing);
	tcase_add_test(tc, without_a_descriptor_all_is_data);
	tcase_add_test(tc, the_line_tells_bytes_files_and_rate);
	tcase_add_test(tc, the_line_never_reaches_the_last_column);
	tcase_add_test(tc, totals_that_are_not_known_give_no_bar);
	tcase_add_test(tc, bytes_have_units);
	tcase_add_test(tc, set_id_bits_go_only_with_their_owner);
	tcase_add_test(tc, every_kept_attribute_is_compared);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, ranges_cover_all_data_and_stay_inside);
	tcase_add_loop_test(files, sources_go_where_cp_would_put_them, 0, (int)RD_ARRAY_SIZE(targets));
	suite_add_tcase(s, files);
	return rd_suite_main(s);
}
