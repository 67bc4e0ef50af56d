/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests are made by who submits them: each thread with its own credentials, directories and umask, on the spot and on a
 * worker alike. The C library changes all threads at once, so these are system calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "edges.h"

#define NOBODY	65534

static char dir[] = "/tmp/edges.XXXXXX";
static unsigned int made;

static const char *path(const char *name)
{
	static char p[64];

	snprintf(p, sizeof(p), "%s/%s", dir, name);
	return p;
}

static void make_tree(void)
{
	umask(022);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	close(open(path("secret"), O_CREAT | O_RDWR, 0600));
	ck_assert_int_eq(mkdir(path("sub"), 0755), 0);
	close(open(path("sub/here"), O_CREAT | O_RDWR, 0644));
	ck_assert_int_eq(mkdir(path("pub"), 0777), 0);
	ck_assert_int_eq(chmod(path("pub"), 01777), 0);
}

static void remove_tree(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* 0 or the error. */
static int try_open(const char *name, unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&edge);
	int r;

	io_uring_prep_openat(sqe, AT_FDCWD, name, O_RDONLY, 0);
	sqe->flags |= flags;
	r = edge_run(&edge);
	if (r >= 0)
		close(r);
	return r < 0 ? r : 0;
}

/* A new file: whose it is, and its mode. */
static struct stat create(unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&edge);
	struct stat st;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "pub/%u", made++);
	io_uring_prep_openat(sqe, AT_FDCWD, path(name), O_CREAT | O_EXCL | O_RDWR, 0666);
	sqe->flags |= flags;
	fd = edge_run(&edge);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	close(fd);
	return st;
}

/* What the calling thread may do, and as whom it does it, both ways. */
static void check_me(int secret, uid_t uid, gid_t gid, mode_t mode)
{
	const unsigned int ways[] = { 0, IOSQE_ASYNC };

	for (unsigned int i = 0; i < 2; i++) {
		struct stat st = create(ways[i]);

		ck_assert_int_eq(try_open(path("secret"), ways[i]), secret);
		ck_assert_uint_eq(st.st_uid, uid);
		ck_assert_uint_eq(st.st_gid, gid);
		ck_assert_uint_eq(st.st_mode & 0777, mode);
	}
}

static void check_main(void)
{
	check_me(0, 0, 0, 0644);
}

/* Another thread becomes something, with workers of this one about; afterwards this one is who it was. */
static void in_thread(void *(*become)(void *))
{
	pthread_t t;

	check_main();
	ck_assert_int_eq(pthread_create(&t, NULL, become, NULL), 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	check_main();
}

static void *become_nobody(void *arg)
{
	ck_assert_int_eq(syscall(SYS_setresuid, -1, NOBODY, -1), 0);
	check_me(-EACCES, NOBODY, 0, 0644);
	return arg;
}

START_TEST(a_thread_with_another_uid)
{
	in_thread(become_nobody);
}
END_TEST

static void *become_fs_ids(void *arg)
{
	syscall(SYS_setfsgid, NOBODY);
	check_me(0, 0, NOBODY, 0644);
	syscall(SYS_setfsuid, NOBODY);
	check_me(-EACCES, NOBODY, NOBODY, 0644);
	return arg;
}

START_TEST(a_thread_with_other_ids_for_files)
{
	in_thread(become_fs_ids);
}
END_TEST

static void *become_powerless(void *arg)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	ck_assert_int_eq(chown(path("secret"), NOBODY, NOBODY), 0);
	ck_assert_int_eq(syscall(SYS_capset, &header, none), 0);
	check_me(-EACCES, 0, 0, 0644);
	return arg;
}

START_TEST(a_thread_without_capabilities)
{
	in_thread(become_powerless);
}
END_TEST

static void *become_elsewhere(void *arg)
{
	ck_assert_int_eq(unshare(CLONE_FS), 0);
	ck_assert_int_eq(chdir(path("sub")), 0);
	ck_assert_int_eq(try_open("here", 0), 0);
	ck_assert_int_eq(try_open("here", IOSQE_ASYNC), 0);
	ck_assert_int_eq(chroot(dir), 0);
	ck_assert_int_eq(try_open("/secret", 0), 0);
	ck_assert_int_eq(try_open("/secret", IOSQE_ASYNC), 0);
	ck_assert_int_eq(try_open(path("secret"), 0), -ENOENT);
	ck_assert_int_eq(try_open(path("secret"), IOSQE_ASYNC), -ENOENT);
	return arg;
}

START_TEST(a_thread_with_other_directories)
{
	in_thread(become_elsewhere);
	ck_assert_int_eq(try_open("here", 0), -ENOENT);
	ck_assert_int_eq(try_open("here", IOSQE_ASYNC), -ENOENT);
}
END_TEST

static void *become_discreet(void *arg)
{
	ck_assert_int_eq(unshare(CLONE_FS), 0);
	umask(077);
	check_me(0, 0, 0, 0600);
	return arg;
}

START_TEST(a_thread_with_another_umask)
{
	in_thread(become_discreet);
}
END_TEST

static void *become_mounted(void *arg)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("none", path("pub"), "tmpfs", 0, "mode=01777"), 0);
	made = 0;
	check_me(0, 0, 0, 0644);
	ck_assert_int_eq(access(path("pub/1"), F_OK), 0);
	made = 100;
	return arg;
}

START_TEST(a_thread_with_other_mounts)
{
	in_thread(become_mounted);
}
END_TEST

START_TEST(a_process_that_changes)
{
	umask(0);
	check_me(0, 0, 0, 0666);
	umask(077);
	check_me(0, 0, 0, 0600);
	umask(022);
	ck_assert_int_eq(setresuid(NOBODY, NOBODY, 0), 0);
	check_me(-EACCES, NOBODY, 0, 0644);
	ck_assert_int_eq(setresuid(0, 0, 0), 0);
	check_main();
	ck_assert_int_eq(chdir(path("sub")), 0);
	ck_assert_int_eq(try_open("here", IOSQE_ASYNC), 0);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(try_open("here", IOSQE_ASYNC), -ENOENT);
}
END_TEST

/* In the kernel the request is made as who has registered; here nobody can be who he is not any more, and it is refused. */
START_TEST(personalities)
{
	int me = io_uring_register_personality(&edge), r;
	struct io_uring_sqe *sqe;

	ck_assert_int_gt(me, 0);
	for (int changed = 0; changed < 2; changed++) {
		sqe = io_uring_get_sqe(&edge);
		io_uring_prep_openat(sqe, AT_FDCWD, path("secret"), O_RDONLY, 0);
		sqe->personality = (unsigned short)me;
		r = edge_run(&edge);
		if (changed && !edge_on_kernel())
			ck_assert_int_eq(r, -EPERM);
		else
			ck_assert_int_ge(r, 0);
		setfsuid(NOBODY);
	}
	setfsuid(0);
	ck_assert_int_eq(io_uring_unregister_personality(&edge, me), 0);
	sqe = io_uring_get_sqe(&edge);
	io_uring_prep_nop(sqe);
	sqe->personality = (unsigned short)me;
	ck_assert_int_eq(edge_run(&edge), -EINVAL);
}
END_TEST

TCase *edges_who(void)
{
	TCase *tc = tcase_create("who");

	tcase_add_checked_fixture(tc, make_tree, remove_tree);
	if (geteuid() != 0)
		return tc;
	tcase_add_test(tc, a_thread_with_another_uid);
	tcase_add_test(tc, a_thread_with_other_ids_for_files);
	tcase_add_test(tc, a_thread_without_capabilities);
	tcase_add_test(tc, a_thread_with_other_directories);
	tcase_add_test(tc, a_thread_with_another_umask);
	tcase_add_test(tc, a_thread_with_other_mounts);
	tcase_add_test(tc, a_process_that_changes);
	tcase_add_test(tc, personalities);
	return tc;
}
