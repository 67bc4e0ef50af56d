/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The variables that each thread has a copy of (TLS) are on its stack, and in a process that is not ours they may be larger than
 * what we would ask for: then no thread can be made, or one that has next to no stack.
 */
#include "stack.h"

#include <link.h>
#include <unistd.h>

#include "util.h"

static int add_tls(struct dl_phdr_info *info, size_t size, void *sum)
{
	(void)size;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_TLS)
			*(size_t *)sum += info->dlpi_phdr[i].p_memsz + info->dlpi_phdr[i].p_align;
	}
	return 0;
}

size_t rd_stack_size(size_t room)
{
	static size_t known;	/* __atomic; what is loaded later has its own elsewhere */
	size_t tls = __atomic_load_n(&known, __ATOMIC_RELAXED);

	/* once: in the child of a fork() the loader's lock may be a thread's that is not there */
	if (!tls) {
		tls = 1;
		dl_iterate_phdr(add_tls, &tls);
		__atomic_store_n(&known, tls, __ATOMIC_RELAXED);
	}
	return (size_t)rd_align(room + tls, (size_t)getpagesize());
}
