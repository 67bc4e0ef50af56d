/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringcp: sets the run up, copies, compares, tells. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "ringcp.h"

static void on_signal(int sig)
{
	cp_stop = sig;
}

/* Once: the second signal ends the program as if it had no handler, in case something hangs. */
static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND }, old;

	for (size_t i = 0; i < RD_ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* A level of the tree takes two descriptors. */
static void raise_nofile(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
}

static int setup(struct cp *cp)
{
	struct statx *stx;
	int r;

	cp->umask = umask(077);
	rd_list_init(&cp->free_jobs);
	rd_list_init(&cp->active);
	r = cp_pump_init(&cp->pump, &cp->o, &stx);
	if (r < 0)
		return r;
	cp->jobs = calloc(cp->o.files, sizeof(*cp->jobs));
	if (!cp->jobs)
		return -ENOMEM;
	for (unsigned int i = 0; i < cp->o.files; i++) {
		cp->jobs[i].index = i;
		cp->jobs[i].stx = &stx[i];
		rd_list_append(&cp->free_jobs, &cp->jobs[i].link);
	}
	return 0;
}

static int pass(struct cp *cp, enum cp_mode mode)
{
	const char *verb = mode == CP_COPY ? "copied" : "compared";
	char bytes[32], rate[32];
	double seconds;
	int r;

	cp->mode = mode;
	cp->opened_here = 0;
	cp_progress_start(&cp->progress, cp->o.progress, verb);
	r = cp_run(cp);
	seconds = (double)(rd_now_ns() - cp->progress.started_ns) / 1e9;
	if (r == 0 && cp->o.verbose) {
		cp_format_bytes(bytes, sizeof(bytes), (double)cp->progress.bytes);
		cp_format_bytes(rate, sizeof(rate), (double)cp->progress.bytes / seconds);
		printf("%s %llu files, %s in %.2f s (%s/s)\n", verb, (unsigned long long)cp->progress.files, bytes,
		       seconds, rate);
		if (cp->opened_here)
			printf("%llu files were opened by ringcp itself\n", (unsigned long long)cp->opened_here);
	}
	return r;
}

/* Everything on the disk at once: the comparison reads it from there, file by file that would take its time. */
static void flush_destination(const struct cp *cp)
{
	RD_CLOSE int fd = open(cp->o.dst, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		syncfs(fd);
}

int main(int argc, char **argv)
{
	static struct cp cp;
	int r = 0;

	cp_options_parse(&cp.o, argc, argv);
	catch_signals();
	raise_nofile();
	if (setup(&cp) < 0)
		return 1;
	if (cp.o.progress)
		cp_progress_scan(&cp.progress, &cp.o);
	if (!cp.o.verify_only)
		r = pass(&cp, CP_COPY);
	if (r == 0 && (cp.o.verify || cp.o.verify_only)) {
		flush_destination(&cp);
		r = pass(&cp, CP_VERIFY);
	}
	cp_pump_deinit(&cp.pump);
	free(cp.jobs);
	if (cp_stop) {		/* as if the signal had ended us, for the shell */
		fprintf(stderr, "ringcp: interrupted\n");
		signal((int)cp_stop, SIG_DFL);
		raise((int)cp_stop);
	}
	if (fflush(stdout))
		r = -EIO;
	return r < 0 || cp.errors ? 1 : 0;
}
