/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A number goes while requests may use it, which is only the case of files with record locks (files.c). close() is called in signal
 * handlers, too, and the thread that has been interrupted may hold the lock: then it is let be. What the
 * program gets then is what it gets from a thread that reads from a descriptor another one closes.
 */
#include <errno.h>

#include "process.h"

bool rd_local_lends(void)
{
	/* relaxed: who submits at the same time has that race anyway */
	return atomic_load_explicit(&rd_local.host.files.n_lent, memory_order_relaxed);
}

void rd_local_closing(int fd)
{
	int saved = errno;

	if (rd_local_inside())
		return;
	rd_local_lock();
	if (rd_local.running)
		rd_local_files_closing(&rd_local.host, fd);
	rd_local_unlock();
	errno = saved;
}
