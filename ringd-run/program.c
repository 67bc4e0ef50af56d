/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is going to be executed, and whether its dynamic loader will do what the environment says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "daemon/common/util.h"
#include "run.h"

#define SCRIPTS_MAX	5	/* the kernel goes no deeper */
#define SCRIPT_LINE	256

/* --- where it is --- */

static int try_path(struct run_program *p, const char *dir, size_t len, const char *name)
{
	struct stat st;
	int n;

	if (len)
		n = snprintf(p->path, sizeof(p->path), "%.*s/%s", (int)len, dir, name);
	else
		n = snprintf(p->path, sizeof(p->path), "%s", name);
	if (n < 0 || (size_t)n >= sizeof(p->path))
		return -ENAMETOOLONG;
	if (stat(p->path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return faccessat(AT_FDCWD, p->path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int run_program_find(struct run_program *p, const char *name)
{
	const char *list = getenv("PATH");
	int r, err = -ENOENT;

	*p = (struct run_program){ 0 };
	if (!*name)
		return -ENOENT;
	if (strchr(name, '/'))
		return try_path(p, NULL, 0, name);
	if (!list)
		list = "/bin:/usr/bin";
	for (;;) {
		size_t len = strcspn(list, ":");

		r = try_path(p, list, len, name);
		if (r == 0)
			return 0;
		if (r == -EACCES)
			err = r;	/* unless another folder has it */
		if (!list[len])
			return err;
		list += len + 1;
	}
}

/* --- what it is --- */

static void refuse(struct run_program *p, const char *what)
{
	snprintf(p->refusal, sizeof(p->refusal), "%s %s", p->image, what);
}

/* Would the kernel give it another identity (AT_SECURE)? Then the loader takes nothing from the environment. */
static const char *more_rights(int fd)
{
	struct stat st;
	struct statvfs fs;
	bool nosuid = fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_NOSUID);

	if (fstat(fd, &st) < 0 || nosuid)
		return NULL;
	/* capabilities count also with no_new_privs, which only takes them away; they are nothing new to root */
	if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "has file capabilities";
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return NULL;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return "is set-user-ID";
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
		return "is set-group-ID";
	return NULL;
}

/* The dynamic loader as such may be called as a program, too. */
static bool is_loader(const char *path)
{
	RD_CLOSE int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct run_elf own;
	struct stat a, b;

	run_elf_read(&own, fd);
	return own.kind == RUN_ELF_DYNAMIC && stat(own.interp, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static bool same_name(const char *a, const char *b)
{
	const char *x = strrchr(a, '/'), *y = strrchr(b, '/');

	return strcmp(x ? x + 1 : a, y ? y + 1 : b) == 0;
}

static void look_at_elf(struct run_program *p, int fd, const struct run_elf *elf)
{
	RD_CLOSE int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const char *rights = more_rights(fd);
	struct run_elf own;

	run_elf_read(&own, self);
	snprintf(p->interp, sizeof(p->interp), "%s", elf->interp);
	p->usual = strcmp(own.interp, elf->interp) == 0;
	if (!same_name(own.interp, elf->interp))
		snprintf(p->refusal, sizeof(p->refusal), "%s has another dynamic loader (%.200s), so another libc than ours",
			 p->image, elf->interp);
	else if (rights)
		snprintf(p->refusal, sizeof(p->refusal), "%s %s: its dynamic loader takes no libraries from us", p->image,
			 rights);
}

/* The interpreter of a script: false if it is none. */
static bool next_image(struct run_program *p, int fd)
{
	char line[SCRIPT_LINE + 1] = "", *start;
	size_t len;

	p->script = true;
	if (pread(fd, line, SCRIPT_LINE, 0) < 0)
		return false;
	if (strncmp(line, "#!", 2) != 0) {
		/* what the kernel does not know execvp() gives to the shell */
		snprintf(p->image, sizeof(p->image), "/bin/sh");
		return true;
	}
	start = line + 2 + strspn(line + 2, " \t");
	len = strcspn(start, " \t\n");
	if (!len)
		return false;
	snprintf(p->image, sizeof(p->image), "%.*s", (int)len, start);
	return true;
}

/* False: p->image has become another file, which is to be looked at. */
static bool look_once(struct run_program *p)
{
	RD_CLOSE int fd = open(p->image, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct run_elf elf;

	if (fd < 0)
		return true;	/* exec says what is wrong, if anything is */
	run_elf_read(&elf, fd);
	if (elf.kind == RUN_ELF_NOT)
		return !next_image(p, fd);
	p->looked = elf.kind == RUN_ELF_DYNAMIC;
	if (elf.kind == RUN_ELF_DYNAMIC)
		look_at_elf(p, fd, &elf);
	else if (elf.kind == RUN_ELF_FOREIGN)
		refuse(p, "is made for another machine or word size than the libraries of ringd");
	else if (elf.kind == RUN_ELF_STATIC && !is_loader(p->image))
		refuse(p, "is statically linked: there is no dynamic loader that could give it a library");
	else if (elf.kind == RUN_ELF_BROKEN)
		refuse(p, "is no ELF program that could be executed");
	return true;
}

void run_program_look(struct run_program *p)
{
	snprintf(p->image, sizeof(p->image), "%s", p->path);
	for (int i = 0; i < SCRIPTS_MAX; i++)
		if (look_once(p))
			return;
}
