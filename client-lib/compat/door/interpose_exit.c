/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * _exit(): many a child of fork() ends so, fio's jobs for instance, and no destructor runs. The engine needs none; the report
 * of ringd-run does. exit() does not come here: libc calls its own.
 */
#include <unistd.h>

#include "interpose.h"
#include "raw.h"
#include "next.h"

RD_DOOR_EXPORT void _exit(int status)
{
	rd_local_exit();
	for (;;)
		rd_raw(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

RD_DOOR_EXPORT void _Exit(int status) __attribute__((__alias__("_exit"), __noreturn__));
