// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Before a program is started: our filters go with it, and our handler only if it loads us. One that does not (a static one, or
 * one that gains privileges) is killed by the first of the three calls. So such a program is not started if it makes them; all
 * others are none of our business. Whether it makes them is a question of its code: the number of io_uring_setup() is loaded
 * into a register or pushed there; or of a library's, whose name is in it. Works in the child of vfork(): nothing is allocated,
 * nothing changed.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raw.h"
#include "trap.h"

#define MAX_SCRIPTS	4	/* a script's interpreter may be a script */
#define HEAD		256	/* what the kernel reads of a file */
#define MAX_PATH	4096

#ifdef __x86_64__
#define NATIVE_MACHINE	EM_X86_64
#else
#define NATIVE_MACHINE	EM_AARCH64
#endif

struct target {
	const char *path;
	int fd;
	struct stat st;
	union {
		char head[HEAD + 1];
		Elf64_Ehdr elf;
	};
	ssize_t n;
};

static ssize_t read_at(int fd, void *buf, size_t len, uint64_t off)
{
	return rd_raw(SYS_pread64, fd, (long)buf, (long)len, (long)off, 0, 0);
}

/* --- code --- */

#ifdef __x86_64__
/* mov $425, to any register or to the stack (Go); push $425 */
static bool loads(const unsigned char *at, const unsigned char *start)
{
	return at > start + 4 && ((at[-1] & 0xf8) == 0xb8 || (at[-2] == 0xc7 && (at[-1] & 0xf8) == 0xc0) || at[-1] == 0x68 ||
				  at[-1] == 0x24 || at[-2] == 0x24);
}

static bool makes_calls(const unsigned char *p, size_t len)
{
	static const unsigned char number[] = { RD_FIRST_CALL & 0xff, RD_FIRST_CALL >> 8, 0, 0 };
	const unsigned char *end = p + len, *start = p;

	while ((p = memmem(p, (size_t)(end - p), number, sizeof(number))) != NULL) {
		if (loads(p, start))
			return true;
		p++;
	}
	return false;
}
#else
/* movz reg, #425 */
static bool makes_calls(const unsigned char *p, size_t len)
{
	for (uint32_t insn; len >= sizeof(insn); p += sizeof(insn), len -= sizeof(insn)) {
		memcpy(&insn, p, sizeof(insn));
		if ((insn & 0x7fffffe0u) == (0x52800000u | RD_FIRST_CALL << 5))
			return true;
	}
	return false;
}
#endif

static bool names_liburing(const unsigned char *p, size_t len)
{
	static const char name[] = "liburing";

	return memmem(p, len, name, sizeof(name) - 1);
}

static bool segment_has(const struct target *t, const Elf64_Phdr *ph, bool (*what)(const unsigned char *p, size_t len))
{
	uint64_t from = ph->p_offset & ~(uint64_t)0xffff;
	long p, len = (long)(ph->p_offset - from + ph->p_filesz);
	bool found;

	if (!ph->p_filesz || (uint64_t)t->st.st_size < ph->p_offset || (uint64_t)t->st.st_size - ph->p_offset < ph->p_filesz)
		return false;
	p = rd_raw(SYS_mmap, 0, len, PROT_READ, MAP_PRIVATE, t->fd, (long)from);
	if (p < 0 && p > -4096)
		return false;
	found = what((const unsigned char *)p, (size_t)len);
	rd_raw(SYS_munmap, p, len, 0, 0, 0, 0);
	return found;
}

static bool segment(const struct target *t, unsigned int i, Elf64_Phdr *ph)
{
	return i < t->elf.e_phnum && read_at(t->fd, ph, sizeof(*ph), t->elf.e_phoff + (uint64_t)i * sizeof(*ph)) == sizeof(*ph);
}

static bool asks_for_a_loader(const struct target *t)
{
	Elf64_Phdr ph;

	for (unsigned int i = 0; segment(t, i, &ph); i++)
		if (ph.p_type == PT_INTERP)
			return true;
	return false;
}

/* A static program has all its code in it; what a name is among its data it has no use for. */
static bool program_makes_calls(const struct target *t, bool dynamic)
{
	Elf64_Phdr ph;

	for (unsigned int i = 0; segment(t, i, &ph); i++)
		if (ph.p_type == PT_LOAD && ((ph.p_flags & PF_X && segment_has(t, &ph, makes_calls)) ||
					     (dynamic && segment_has(t, &ph, names_liburing))))
			return true;
	return false;
}

/* It gains what the process has not: the loader will not hear of us. */
static bool gains(const struct target *t)
{
	if (rd_raw(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0) == 1)
		return false;
	return ((t->st.st_mode & S_ISUID) && (long)t->st.st_uid != rd_raw(SYS_geteuid, 0, 0, 0, 0, 0, 0)) ||
	       ((t->st.st_mode & S_ISGID) && (t->st.st_mode & S_IXGRP) &&
		(long)t->st.st_gid != rd_raw(SYS_getegid, 0, 0, 0, 0, 0, 0));
}

/* --- files --- */

static void say(const char *path, const char *why)
{
	const char *const part[] = { "libringd-trap: ", path, why };

	for (unsigned int i = 0; i < 3; i++)
		rd_raw(SYS_write, STDERR_FILENO, (long)part[i], (long)strlen(part[i]), 0, 0, 0);
}

static bool refuse(const char *path, const char *why)
{
	say(path, why);
	errno = EACCES;
	return false;
}

static bool program_fits(const struct target *t)
{
	bool dynamic;

	if (t->n < (ssize_t)sizeof(t->elf) || memcmp(t->elf.e_ident, ELFMAG, SELFMAG) != 0 ||
	    t->elf.e_ident[EI_CLASS] != ELFCLASS64 || t->elf.e_machine != NATIVE_MACHINE ||
	    t->elf.e_phentsize != sizeof(Elf64_Phdr))
		return true;
	dynamic = asks_for_a_loader(t);
	if (dynamic && !gains(t))
		return true;
	if (!program_makes_calls(t, dynamic))
		return true;
	return refuse(t->path, dynamic ? " gains privileges and uses io_uring: it cannot be served, so it is not started\n" :
					 " is a static program that uses io_uring: it cannot be served, so it is not started\n");
}

/* "#! path argument": path is left in place. NULL: that is no script. */
static char *interpreter(struct target *t)
{
	char *p = t->head + 2;

	if (t->n < 3 || memcmp(t->head, "#!", 2) != 0)
		return NULL;
	t->head[t->n] = '\0';
	p += strspn(p, " \t");
	p[strcspn(p, " \t\n")] = '\0';
	return *p ? p : NULL;
}

static bool fits(int dirfd, const char *path, int flags, unsigned int depth)
{
	struct target t = { .path = path };
	bool ok = true;
	char *script;

	if (flags & AT_EMPTY_PATH && !*path)
		t.fd = (int)rd_raw(SYS_fcntl, dirfd, F_DUPFD_CLOEXEC, 0, 0, 0, 0);
	else
		t.fd = (int)rd_raw(SYS_openat, dirfd, (long)path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, 0, 0);
	/* Not there, or not to be read: the kernel has the last word. */
	if (t.fd < 0)
		return true;
	if (fstat(t.fd, &t.st) == 0 && S_ISREG(t.st.st_mode)) {
		t.n = read_at(t.fd, t.head, HEAD, 0);
		script = interpreter(&t);
		if (!script)
			ok = program_fits(&t);
		else if (depth < MAX_SCRIPTS)
			ok = fits(AT_FDCWD, script, 0, depth + 1);
	}
	rd_raw(SYS_close, t.fd, 0, 0, 0, 0, 0);
	return ok;
}

bool rd_target_fits(int dirfd, const char *path, int flags)
{
	int saved = errno;
	bool ok = !path || !rd_filter_present(RD_FILTER_CALLS) || fits(dirfd, path, flags, 0);

	if (ok)
		errno = saved;
	return ok;
}

/* The first that may be executed, as execvp() looks for it. */
bool rd_target_named(const char *file)
{
	const char *dirs = getenv("PATH");
	char path[MAX_PATH];

	if (!file || strchr(file, '/'))
		return rd_target_fits(AT_FDCWD, file, 0);
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs; dirs += strspn(dirs, ":")) {
		size_t n = strcspn(dirs, ":");

		if (n + strlen(file) + 2 <= sizeof(path)) {
			memcpy(path, dirs, n);
			path[n] = '/';
			strcpy(path + n + 1, file);
			if (rd_raw(SYS_faccessat, AT_FDCWD, (long)path, X_OK, 0, 0, 0) == 0)
				return rd_target_fits(AT_FDCWD, path, 0);
		}
		dirs += n;
	}
	return true;
}
