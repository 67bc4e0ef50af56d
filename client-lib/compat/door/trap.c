// SPDX-License-Identifier: GPL-2.0-or-later
/* What happens when libringd-trap.so is loaded: before anything else of the program, so that no call is made without us. */
#include <string.h>
#include <sys/auxv.h>

#include "raw.h"
#include "trap.h"

static const char *setting(char *const *envp, const char *name)
{
	size_t len = strlen(name);

	for (; envp && *envp; envp++)
		if (!strncmp(*envp, name, len) && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

/*
 * libc itself may not be set up yet (see -z initfirst): its environ is not, ours is an argument. RINGD_TRAP=off: no filter, only
 * libc's syscall() is served. Also without, the handler is there: filters may have come with the process.
 */
static __attribute__((__constructor__(101))) void open_door(int argc, char **argv, char **envp)
{
	const char *mode = setting(envp, "RINGD_TRAP");

	(void)argc;
	(void)argv;
	/* In a program that has gained privileges we are at most by its owner's will; it is left as it is. */
	if (getauxval(AT_SECURE))
		return;
	rd_sigsys_take();
	rd_env_init();
	if (!mode || strcmp(mode, "off") != 0)
		(void)rd_filter_install(RD_FILTER_CALLS);	/* without: syscall() is all that is served */
}
