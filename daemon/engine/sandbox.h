/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's system call filter. */
#ifndef RD_SANDBOX_H
#define RD_SANDBOX_H

/*
 * From here on only what an engine needs works; everything else fails with EPERM, in all threads, for ever. Needs
 * no_new_privs. families: RD_FAMILY_*, that sockets may be made of. 0 or -errno. Does nothing in builds with a sanitizer, whose runtime has calls of its own.
 */
int rd_sandbox_enter(unsigned int families);

#endif
