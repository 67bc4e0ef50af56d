/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "daemon/common/util.h"
#include "run.h"

static __attribute__((__format__(__printf__, 2, 3), __noreturn__)) void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("ringd-run: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(status);
}

static void set_environment(const struct run_options *o, const struct run_plan *plan)
{
	int r = 0;

	if (plan->none) {
		if (o->report)
			fprintf(stderr, "ringd-run: no report: the kernel makes none\n");
		return;
	}
	if (o->report)
		r = run_environ_report(o->report_file);
	if (r < 0)
		die(RUN_FAILED, "%s: %s", o->report_file ? o->report_file : "standard error", strerror(-r));
	if (o->backend != RUN_BACKEND_DEFAULT &&
	    setenv("RINGD_BACKEND", o->backend == RUN_BACKEND_URING ? "uring" : "sync", 1) < 0)
		die(RUN_FAILED, "%s", strerror(ENOMEM));
}

static __attribute__((__noreturn__)) void run(const struct run_options *o)
{
	struct run_program p;
	struct run_libs libs;
	struct run_plan plan;
	int r = run_program_find(&p, o->argv[0]);

	if (r < 0)
		die(r == -ENOENT ? RUN_NOT_FOUND : RUN_REFUSED, "%s: %s", o->argv[0], strerror(-r));
	run_program_look(&p);
	run_plan_make(&plan, &libs, &p, o);
	if (plan.status)
		die(plan.status, "%s", plan.refusal);
	set_environment(o, &plan);
	execvp(o->argv[0], o->argv);
	r = errno;
	die(r == ENOENT ? RUN_NOT_FOUND : RUN_REFUSED, "%s: %s", o->argv[0], strerror(r));
}

int main(int argc, char **argv)
{
	struct run_options o;

	run_options_parse(&o, argc, argv);
	/* libraries by the caller's choice: that is nothing for a program with another identity than its caller's */
	if (getauxval(AT_SECURE))
		die(RUN_FAILED, "this program must not be set-id");
	if (o.check)
		return run_check(&o);
	run(&o);
}
