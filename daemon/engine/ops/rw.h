/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that both halves of rw need. RWF_* are the kernel's; our C library may know fewer. */
#ifndef RD_RW_H
#define RD_RW_H

#define RD_RWF_HIPRI		0x1u
#define RD_RWF_DSYNC		0x2u
#define RD_RWF_SYNC		0x4u
#define RD_RWF_NOWAIT		0x8u
#define RD_RWF_APPEND		0x10u
#define RD_RWF_NOAPPEND		0x20u
#define RD_RWF_ATOMIC		0x40u
#define RD_RWF_DONTCACHE	0x80u
#define RD_RWF_NOSIGNAL		0x100u
#define RD_RWF_ALL		0x1ffu

#define RD_RW_MAX		((uint64_t)0x7ffff000)	/* bytes in one transfer: the kernel's own limit */
#define RD_RW_INLINE_MAX	(1u << 20)	/* longer copies would keep other rings waiting: a worker's */
#define RD_RW_RING_MAX		(16u << 10)	/* beyond, what a batch in the kernel ring saves does not count */
#define RD_RW_ROUNDS		128	/* readiness without data before a worker takes over */

#endif
