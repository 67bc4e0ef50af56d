/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --check: what refuses the kernel's io_uring here, and which door would serve a program. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/util.h"
#include "run.h"

static const char *error_name(int err)
{
	const char *name = strerrorname_np(err);

	return name ? name : "?";
}

static const char *sysctl_words(const struct run_kernel *k)
{
	return k->disabled == 2 ? "sysctl: kernel.io_uring_disabled is 2, for everybody" :
	       "sysctl: kernel.io_uring_disabled is 1, and there is neither CAP_SYS_ADMIN nor the group kernel.io_uring_group";
}

static const char *memory_words(const struct run_kernel *k)
{
	return k->counts_memlock ? "memlock: RLIMIT_MEMLOCK is used up, against which this kernel counts rings" :
	       "want of memory, perhaps a memory cgroup's limit";
}

/* Who says no. */
static const char *refuser(const struct run_kernel *k, enum run_layer layer)
{
	switch (layer) {
	case RUN_KERNEL: return "the kernel: it is older than 5.1, or built without it";
	case RUN_SECCOMP: return "seccomp: a filter of this process or of one that started it";
	case RUN_SYSCTL: return sysctl_words(k);
	case RUN_MEMLOCK: return memory_words(k);
	case RUN_LSM: return "a security module: no seccomp filter and no sysctl does";
	default: return k->seccomp > 0 ? "seccomp or what is behind it, which the filter hides" : "something else";
	}
}

static void print_layer(const struct run_kernel *k, enum run_layer layer)
{
	printf("io_uring of the kernel: ");
	if (layer == RUN_ALLOWED)
		printf("allowed\n");
	else if (layer == RUN_SERVED)
		printf("not asked, this process is served by ringd already\n");
	else
		printf("refused (%s) by %s\n", k->killed ? "it kills" : error_name(k->setup ? k->setup : k->enter),
		       refuser(k, layer));
}

static const char *filter_words(int seccomp)
{
	return seccomp == 2 ? "a filter is installed" : seccomp == 1 ? "strict" : "no filter";
}

static void print_facts(const struct run_kernel *k)
{
	printf("  kernel:   %s\n", k->release);
	if (k->seccomp >= 0)
		printf("  seccomp:  %s\n", filter_words(k->seccomp));
	if (k->disabled < 0)
		printf("  sysctl:   kernel.io_uring_disabled: there is none\n");
	else
		printf("  sysctl:   kernel.io_uring_disabled = %d, kernel.io_uring_group = %lld%s\n", k->disabled, k->group,
		       k->in_group ? " (ours)" : "");
	if (k->memlock == UINT64_MAX)
		printf("  memlock:  unlimited\n");
	else
		printf("  memlock:  %llu KiB%s\n", k->memlock >> 10, k->counts_memlock ? "" : " (rings do not count)");
	if (*k->lsm)
		printf("  modules:  %s\n", k->lsm);
}

static void print_program(const struct run_program *p, const struct run_libs *libs)
{
	printf("program: %s", p->path);
	if (p->script)
		printf(", which is executed by %s", p->image);
	printf("\n");
	if (!libs->asked)
		return;
	if (!libs->known)
		printf("  liburing: not known, %s\n", p->looked ? "its dynamic loader is not asked" : "it cannot be read");
	else if (libs->linked)
		printf("  liburing: linked%s%s\n", *libs->liburing ? ", would be " : ", and missing", libs->liburing);
	else if (libs->known)
		printf("  liburing: not linked\n");
}

/* With the environment that the program would have: does the loader find and load it all? */
static void verify(struct run_plan *plan, const struct run_program *p, const struct run_kernel *k)
{
	struct run_libs libs;

	if (plan->preload_trap && !k->can_filter) {
		plan->status = RUN_REFUSED;
		snprintf(plan->refusal, sizeof(plan->refusal), "the trap's seccomp filter cannot be installed here");
		return;
	}
	run_libs_list(&libs, p);
	if (*libs.problem && (strstr(libs.problem, "ringd") || strstr(libs.problem, "liburing"))) {
		plan->status = RUN_REFUSED;
		snprintf(plan->refusal, sizeof(plan->refusal), "our libraries cannot be loaded: %s", libs.problem);
	}
}

static int check_program(const struct run_options *o, const struct run_kernel *k, enum run_layer layer)
{
	struct run_program p;
	struct run_libs libs;
	struct run_plan plan;
	int r = run_program_find(&p, o->argv[0]);

	if (r < 0) {
		printf("program: %s: %s\n", o->argv[0], strerror(-r));
		return r == -ENOENT ? RUN_NOT_FOUND : RUN_REFUSED;
	}
	run_program_look(&p);
	run_plan_make(&plan, &libs, &p, o);
	print_program(&p, &libs);
	if (plan.none) {
		printf("door: none was asked for (--backend=kernel)\n");
		return layer == RUN_ALLOWED ? 0 : RUN_REFUSED;
	}
	if (!plan.status)
		verify(&plan, &p, k);
	if (plan.status)
		printf("door: none: %s\n", plan.refusal);
	else
		printf("door: %s: %s\n", plan.door == RUN_DOOR_TRAP ? "trap" : "library", plan.why);
	return plan.status;
}

int run_check(const struct run_options *o)
{
	struct run_kernel k;
	enum run_layer layer;
	char dir[PATH_MAX];
	bool found;

	run_kernel_ask(&k);
	layer = run_kernel_layer(&k);
	print_layer(&k, layer);
	print_facts(&k);
	found = run_libdir_find(dir, sizeof(dir));
	printf("libraries of ringd: %s%s\n", dir, found ? "" : ": not there");
	printf("  trap:     %s\n", k.can_filter ? "its seccomp filter can be installed" : "no seccomp filter can be installed");
	if (o->argv)
		return check_program(o, &k, layer);
	return found ? 0 : RUN_REFUSED;
}
