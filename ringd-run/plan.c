/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which door. The library path is always given: it costs nothing, and also what a program loads later (plugins) or starts finds
 * our liburing there. Whoever has it by then needs no more; for all others the trap is loaded, since nobody can see in a file
 * whether system calls are made by hand, or come with a plugin that is linked statically with liburing. The trap is not
 * given to all because it needs a seccomp filter, and with it no_new_privs, which takes set-id from what a program starts.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/common/util.h"
#include "run.h"

#define IN_LISTS	" \t\n:;"	/* what LD_PRELOAD or LD_LIBRARY_PATH take for the end of a name */

static void refuse(struct run_plan *plan, int status, const char *a, const char *b)
{
	plan->status = status;
	snprintf(plan->refusal, sizeof(plan->refusal), "%s%s", a, b);
}

static bool has(const char *dir, const char *name)
{
	RD_FREE char *path = NULL;

	return asprintf(&path, "%s/%s", dir, name) >= 0 && access(path, R_OK) == 0;
}

/* Is it one of the files in dir? */
static bool is_from(const char *dir, const char *file)
{
	const char *base = strrchr(file, '/');
	RD_FREE char *path = NULL;
	struct stat a, b;

	if (!base || asprintf(&path, "%s%s", dir, base) < 0)
		return false;
	return stat(file, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void choose(struct run_plan *plan, const struct run_libs *libs, const struct run_options *o, const char *dir)
{
	bool served = libs->linked && is_from(dir, libs->liburing);

	plan->door = RUN_DOOR_LIBRARY;
	plan->preload_library = o->door != RUN_DOOR_TRAP && libs->linked && !served;
	if (o->door == RUN_DOOR_TRAP || (o->door == RUN_DOOR_AUTO && !libs->linked)) {
		plan->door = RUN_DOOR_TRAP;
		plan->preload_trap = true;
	}
	if (o->door == RUN_DOOR_TRAP)
		plan->why = "it was asked for";
	else if (plan->preload_library)
		plan->why = "it is linked with liburing, by a path of its own that goes before ours: ours is preloaded";
	else if (libs->linked)
		plan->why = "it is linked with liburing";
	else if (o->door == RUN_DOOR_LIBRARY)
		plan->why = "it was asked for; the program is not linked with liburing, and may load it later";
	else if (libs->known)
		plan->why = "it is not linked with liburing: it may load it later, or make the system calls itself";
	else
		plan->why = "the libraries that it is linked with are not known";
}

static int preload(const char *dir, const char *name)
{
	RD_FREE char *path = NULL;

	/* behind what is there: whoever wraps libc's functions calls ours then, not the other way round */
	return asprintf(&path, "%s/%s", dir, name) < 0 ? -ENOMEM : run_environ_add("LD_PRELOAD", " :", path, false);
}

/* AddressSanitizer ends a program that has a library before its own; ours is none that minds. What the user says goes last. */
static int before_asan(void)
{
	return run_environ_add("ASAN_OPTIONS", " ,:", "verify_asan_link_order=0", true);
}

static int add_preloads(struct run_plan *plan, const struct run_libs *libs, const char *dir)
{
	int r = 0;

	if (libs->asan && (plan->preload_library || plan->preload_trap))
		r = before_asan();
	if (r == 0 && plan->preload_library)
		r = preload(dir, RUN_LIBRARY);
	if (r == 0 && plan->preload_trap)
		r = preload(dir, RUN_TRAP);
	return r;
}

static void need_libraries(struct run_plan *plan, const struct run_options *o, const char *dir, bool found)
{
	if (!found)
		refuse(plan, RUN_FAILED, "there are no libraries of ringd in ", dir);
	else if (dir[strcspn(dir, IN_LISTS)])
		refuse(plan, RUN_FAILED, "the dynamic loader can be told of no folder with such a name: ", dir);
	else if (o->door != RUN_DOOR_TRAP && !has(dir, RUN_LIBRARY))
		refuse(plan, RUN_FAILED, "there is no " RUN_LIBRARY " in ", dir);
	else if (o->door != RUN_DOOR_LIBRARY && !has(dir, RUN_TRAP))
		refuse(plan, RUN_FAILED, "there is no " RUN_TRAP " in ", dir);
}

void run_plan_make(struct run_plan *plan, struct run_libs *libs, const struct run_program *p, const struct run_options *o)
{
	char dir[PATH_MAX];
	bool found;
	int r = 0;

	*plan = (struct run_plan){ .door = RUN_DOOR_LIBRARY };
	*libs = (struct run_libs){ 0 };
	plan->none = o->backend == RUN_BACKEND_KERNEL;
	if (plan->none)
		return;
	if (*p->refusal) {
		refuse(plan, RUN_REFUSED, p->refusal, "");
		return;
	}
	found = run_libdir_find(dir, sizeof(dir));
	need_libraries(plan, o, dir, found);
	if (plan->status)
		return;
	plan->library_path = o->door != RUN_DOOR_TRAP;
	if (plan->library_path)
		r = run_environ_add("LD_LIBRARY_PATH", ":;", dir, true);
	if (r == 0)
		run_libs_list(libs, p);
	choose(plan, libs, o, dir);
	if (r == 0)
		r = add_preloads(plan, libs, dir);
	if (r < 0)
		refuse(plan, RUN_FAILED, strerror(-r), "");
}
