/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The little of an ELF file that decides whether the dynamic loader comes into play: its machine and its interpreter. Read
 * here and not with libelf, because ringd-run is put into containers together with its libraries, where there need not be
 * more than libc; what is needed of the file beyond that (search paths, libraries of libraries) the loader itself is asked.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

#include "daemon/common/util.h"
#include "run.h"

#define PHDRS_MAX	256	/* of a program; PN_XNUM is for core files */

static bool read_at(int fd, void *buf, size_t len, uint64_t off)
{
	return off <= INT64_MAX - len && pread(fd, buf, len, (off_t)off) == (ssize_t)len;
}

/* The same kind of machine as this very program's. */
static bool is_ours(const ElfW(Ehdr) *eh)
{
	RD_CLOSE int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) own;

	if (!read_at(fd, &own, sizeof(own), 0))
		return false;
	return eh->e_ident[EI_CLASS] == own.e_ident[EI_CLASS] && eh->e_ident[EI_DATA] == own.e_ident[EI_DATA] &&
	       eh->e_machine == own.e_machine;
}

static enum run_elf_kind read_interp(struct run_elf *elf, int fd, const ElfW(Phdr) *ph)
{
	if (ph->p_filesz < 2 || ph->p_filesz > sizeof(elf->interp) || !read_at(fd, elf->interp, ph->p_filesz, ph->p_offset) ||
	    elf->interp[ph->p_filesz - 1]) {
		*elf->interp = 0;
		return RUN_ELF_BROKEN;
	}
	return RUN_ELF_DYNAMIC;
}

static enum run_elf_kind read_headers(struct run_elf *elf, int fd, const ElfW(Ehdr) *eh)
{
	ElfW(Phdr) ph;

	if ((eh->e_type != ET_EXEC && eh->e_type != ET_DYN) || eh->e_phentsize != sizeof(ph) || eh->e_phnum > PHDRS_MAX)
		return RUN_ELF_BROKEN;
	for (unsigned int i = 0; i < eh->e_phnum; i++) {
		if (!read_at(fd, &ph, sizeof(ph), (uint64_t)eh->e_phoff + i * sizeof(ph)))
			return RUN_ELF_BROKEN;
		if (ph.p_type == PT_INTERP)
			return read_interp(elf, fd, &ph);
	}
	return RUN_ELF_STATIC;
}

void run_elf_read(struct run_elf *elf, int fd)
{
	ElfW(Ehdr) eh = { 0 };

	*elf = (struct run_elf){ .kind = RUN_ELF_NOT };
	/* one of a smaller class may be shorter than our header */
	if (pread(fd, &eh, sizeof(eh), 0) < EI_NIDENT || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	if (!is_ours(&eh))
		elf->kind = RUN_ELF_FOREIGN;
	else
		elf->kind = read_headers(elf, fd, &eh);
}
