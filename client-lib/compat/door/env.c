// SPDX-License-Identifier: GPL-2.0-or-later
/* The environment of the next program: with us in LD_PRELOAD, whatever the program made of it. No memory but the caller's. */
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "raw.h"
#include "trap.h"

#define NAME		"LD_PRELOAD="
#define NAME_LEN	(sizeof(NAME) - 1)

static char self[PATH_MAX];		/* "": not known, nothing is changed */
static char loaded_as[PATH_MAX];

void rd_env_init(void)
{
	Dl_info info;

	if (!dladdr((const void *)rd_env_init, &info) || !info.dli_fname || strlen(info.dli_fname) >= sizeof(loaded_as))
		return;
	strcpy(loaded_as, info.dli_fname);
	if (!realpath(info.dli_fname, self))
		self[0] = '\0';
}

/* The list of the loader is separated by colons and blanks. */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (*list) {
		size_t n = strcspn(list, ": \t");

		if (n == len && !memcmp(list, name, n))
			return true;
		list += n;
		list += strspn(list, ": \t");
	}
	return false;
}

static const char *find(char *const *envp)
{
	for (; envp && *envp; envp++)
		if (!strncmp(*envp, NAME, NAME_LEN))
			return *envp + NAME_LEN;
	return NULL;
}

static size_t count(char *const *envp)
{
	size_t n = 0;

	while (envp && envp[n])
		n++;
	return n;
}

size_t rd_env_room(char *const *envp)
{
	const char *list = find(envp);

	if (!self[0] || (list && (listed(list, self) || listed(list, loaded_as))))
		return 0;
	/* Where we cannot be found (chroot) the loader would only complain. */
	if (rd_raw(SYS_faccessat, -100 /* AT_FDCWD */, (long)self, R_OK, 0, 0, 0) < 0)
		return 0;
	return (count(envp) + 2) * sizeof(char *) + NAME_LEN + strlen(self) + (list ? strlen(list) : 0) + 2;
}

char *const *rd_env_fill(void *room, char *const *envp)
{
	size_t n = count(envp), to = 0;
	const char *list = find(envp);
	char **out = room, *var = (char *)(out + n + 2), *end = var;

	end = stpcpy(end, NAME);
	if (list && *list) {
		end = stpcpy(end, list);
		end = stpcpy(end, ":");
	}
	stpcpy(end, self);
	for (size_t i = 0; i < n; i++)
		if (strncmp(envp[i], NAME, NAME_LEN) != 0)
			out[to++] = envp[i];
	out[to++] = var;
	out[to] = NULL;
	return out;
}
