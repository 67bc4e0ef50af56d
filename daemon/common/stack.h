/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RD_STACK_H
#define RD_STACK_H

#include <stddef.h>

/* A size for pthread_attr_setstacksize() that leaves room for so much besides what the C library puts there. */
size_t rd_stack_size(size_t room);

#endif
