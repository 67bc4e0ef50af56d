/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RD_MEMFD_H
#define RD_MEMFD_H

#include <stdint.h>

/* memfd of size bytes, sealed against every change of size. Descriptor or -errno. */
int rd_memfd_sealed(const char *name, uint64_t size, unsigned int flags);

#endif
