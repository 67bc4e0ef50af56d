/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pass over the sources: entries become jobs as long as a job is free, the pump turns until all are through. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ringcp.h"

#define TURN_MS		200u	/* the progress line and a signal wait no longer than this */

volatile sig_atomic_t cp_stop;

/* --- messages --- */

/* A name may hold anything, a newline or an escape sequence too. */
static void put_quoted(FILE *out, const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '\\')
			fprintf(out, "\\%03o", (unsigned char)*s);
		else
			fputc(*s, out);
}

static void message(struct cp *cp, const char *path, const char *what, int err)
{
	cp_progress_clear(&cp->progress);
	fputs("ringcp: ", stderr);
	if (path) {
		put_quoted(stderr, path);
		fputs(what || err ? ": " : "", stderr);
	}
	fprintf(stderr, "%s%s%s\n", what ? what : "", what && err ? ": " : "", err ? strerror(-err) : "");
}

void cp_error(struct cp *cp, const char *path, const char *what, int err)
{
	cp->errors++;
	message(cp, path, what, err);
}

void cp_error_src(struct cp *cp, const struct cp_dir *dir, const char *name, const char *what, int err)
{
	RD_FREE char *path = cp_path_src_full(dir, name);

	cp_error(cp, path ? path : name, what, err);
}

void cp_error_dst(struct cp *cp, const struct cp_dir *dir, const char *name, const char *what, int err)
{
	RD_FREE char *path = cp_path_dst_full(dir, name);

	cp_error(cp, path ? path : name, what, err);
}

void cp_warn_src(struct cp *cp, const struct cp_dir *dir, const char *name, const char *what)
{
	RD_FREE char *path = cp_path_src_full(dir, name);

	message(cp, path ? path : name, what, 0);
}

/* --- the pass --- */

/* No data: done at once, without a job. Takes e. */
static void special(struct cp *cp, struct cp_entry *e)
{
	struct stat st;
	int r = 0;

	if (cp->mode == CP_VERIFY) {
		cp_verify_special(cp, e);
		cp_entry_deinit(cp, e);
		return;
	}
	if (fstatat(e->dir->src_fd, e->src_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		r = -ESTALE;
	else if (cp->o.keep_links && st.st_nlink > 1)
		r = cp_links_claim(cp, &st, e);
	if (r == CP_CLAIM_TAKEN)
		return;
	if (r < 0)
		cp_error_src(cp, e->dir, e->src_name, "cannot copy", r);
	else
		cp_special_copy(cp, e, &st);
	cp_entry_deinit(cp, e);
}

static bool next_entry(struct cp *cp, struct cp_entry *e)
{
	return cp_links_retry(cp, e) || cp_walk_next(cp, &cp->walk, e) == 1;
}

/* Start what can be started. Return: false when the sources are at their end. */
static bool admit(struct cp *cp)
{
	struct cp_entry e;

	while (!cp_stop && !cp->pump.error && !rd_list_empty(&cp->free_jobs)) {
		struct cp_job *job = rd_list_first(&cp->free_jobs, struct cp_job, link);

		if (!next_entry(cp, &e))
			return false;
		cp_progress_tick(&cp->progress);
		if (e.type != DT_REG) {
			special(cp, &e);
			continue;
		}
		rd_list_remove(&job->link);
		cp_job_start(cp, job, &e);
	}
	return !cp_stop;
}

static void abandon_all(struct cp *cp)
{
	struct rd_link *i, *tmp;

	rd_list_foreach(i, tmp, &cp->active)
		cp_job_abandon(rd_list_entry(i, struct cp_job, active));
}

static int loop(struct cp *cp)
{
	for (;;) {
		bool more = admit(cp);
		int r;

		if (cp->pump.error)
			return cp->pump.error;
		if (!cp->pump.in_flight) {
			if (!rd_list_empty(&cp->links.retry) && !cp_stop)
				continue;
			if (!more && rd_list_empty(&cp->active))
				return 0;
			if (rd_list_empty(&cp->active))
				continue;
		}
		r = cp_pump_turn(&cp->pump, TURN_MS);
		if (r < 0)
			return r;
		cp_progress_tick(&cp->progress);
	}
}

int cp_run(struct cp *cp)
{
	int r;

	cp_walk_init(&cp->walk);
	r = cp_links_init(&cp->links);
	if (r == 0)
		r = loop(cp);
	cp_progress_clear(&cp->progress);
	if (r < 0) {
		fprintf(stderr, "ringcp: %s (%s)\n", cp->pump.ring ? ringd_ring_strerror(cp->pump.ring) : "ringd",
			strerror(-r));
		abandon_all(cp);
	}
	cp_walk_deinit(cp, &cp->walk);
	cp_links_deinit(cp, &cp->links);
	return r < 0 ? r : cp_stop ? -EINTR : 0;
}
