/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "creds.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUPS_MAX	64	/* of more only the first count */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

/*
 * Who files are made as. setfsuid() would tell, but is what a program's own seccomp filter may kill it for (QEMU's sandbox
 * does); a new pipe is the file that costs least. If there can be none nobody is like us.
 */
static uint64_t mix_fs_ids(uint64_t h)
{
	static _Atomic uint64_t nobody;
	struct stat st = { 0 };
	int p[2];

	if (syscall(SYS_pipe2, p, O_CLOEXEC) < 0)
		return mix(h, ++nobody);
	if (fstat(p[0], &st) < 0)
		st.st_uid = (uid_t)++nobody;
	syscall(SYS_close, p[0]);
	syscall(SYS_close, p[1]);
	return mix(h, (uint64_t)st.st_uid << 32 | st.st_gid);
}

/* By system call: the C library's functions for that change all threads, and are not meant here. */
static uint64_t mix_ids(uint64_t h)
{
	uid_t r = 0, e = 0, s = 0;

	if (syscall(SYS_getresuid, &r, &e, &s) == 0)
		h = mix(mix(h, (uint64_t)r << 32 | e), s);
	if (syscall(SYS_getresgid, &r, &e, &s) == 0)
		h = mix(mix(h, (uint64_t)r << 32 | e), s);
	return mix_fs_ids(h);
}

static uint64_t mix_groups(uint64_t h)
{
	gid_t groups[GROUPS_MAX];
	long n = syscall(SYS_getgroups, GROUPS_MAX, groups);

	for (long i = 0; i < n; i++)
		h = mix(h, groups[i]);
	return mix(h, (uint64_t)n);
}

static uint64_t mix_caps(uint64_t h)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	(void)syscall(SYS_capget, &header, data);
	return mix(h, (uint64_t)data[1].effective << 32 | data[0].effective);
}

static uint64_t mix_place(uint64_t h, const char *path)
{
	struct statx st = { 0 };

	(void)statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st);
	return mix(mix(h, st.stx_ino), (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor);
}

uint64_t rd_creds_identity(void)
{
	return mix_caps(mix_groups(mix_ids(1)));
}

uint64_t rd_creds_key(void)
{
	return mix_place(mix_place(rd_creds_identity(), "/"), ".");
}

int rd_creds_share_fs(pid_t tid)
{
	long r = syscall(SYS_kcmp, syscall(SYS_gettid), (long)tid, (long)KCMP_FS, 0L, 0L);

	return r < 0 ? -1 : r == 0;
}
