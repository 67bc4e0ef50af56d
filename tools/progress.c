/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line on the terminal. */
#include <fts.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "ringcp.h"

#define REDRAW_NS	200000000ull
#define SCAN_NS		1000000000ull
#define BAR_MAX		30u

void cp_format_bytes(char *buf, size_t size, double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int i = 0;

	while (bytes >= 1024 && i + 1 < RD_ARRAY_SIZE(units)) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, size, i == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
}

/* "[====>     ]  45% " into buf, width columns in all; nothing if that is too little. */
static size_t format_bar(char *buf, unsigned int width, double share)
{
	unsigned int cells = width < BAR_MAX + 8 ? width - 8 : BAR_MAX, full;
	size_t n = 0;

	if (width < 8 + 5)
		return 0;
	share = share < 0 ? 0 : share > 1 ? 1 : share;
	full = (unsigned int)(share * cells);
	buf[n++] = '[';
	for (unsigned int i = 0; i < cells; i++)
		buf[n++] = i < full ? '=' : i == full ? '>' : ' ';
	n += (size_t)sprintf(buf + n, "] %3.0f%% ", share * 100);
	return n;
}

size_t cp_progress_format(char *buf, size_t size, unsigned int width, const struct cp_progress *p, uint64_t now_ns)
{
	double seconds = (double)(now_ns - p->started_ns) / 1e9, rate = seconds > 0 ? (double)p->bytes / seconds : 0;
	char done[32], total[40] = "", speed[32], text[256], bar[BAR_MAX + 16];
	size_t n, room;

	if (!size || width < 2)
		return 0;
	room = RD_MIN(size, (size_t)width) - 1;
	cp_format_bytes(done, sizeof(done), (double)p->bytes);
	cp_format_bytes(speed, sizeof(speed), rate);
	if (p->total_bytes || p->total_files) {
		total[0] = '/';
		cp_format_bytes(total + 1, sizeof(total) - 1, (double)p->total_bytes);
	}
	n = (size_t)snprintf(text, sizeof(text), "%s %s%s, %llu files, %s/s", p->verb, done, total,
			     (unsigned long long)p->files, speed);
	n = RD_MIN(n, RD_MIN(room, sizeof(text) - 1));
	*buf = 0;
	if (total[0] && room > n) {
		double share = p->total_bytes ? (double)p->bytes / (double)p->total_bytes :
						(double)p->files / (double)p->total_files;
		size_t b = format_bar(bar, (unsigned int)(room - n), share);

		memcpy(buf, bar, b);
		memcpy(buf + b, text, n);
		n += b;
	} else {
		memcpy(buf, text, n);
	}
	buf[n] = 0;
	return n;
}

void cp_progress_start(struct cp_progress *p, bool show, const char *verb)
{
	p->shown = show;
	p->verb = verb;
	p->bytes = p->files = 0;
	p->started_ns = rd_now_ns();
	p->last_ns = p->started_ns;
}

void cp_progress_tick(struct cp_progress *p)
{
	struct winsize ws = { 0 };
	uint64_t now;
	char line[256];

	if (!p->shown)
		return;
	now = rd_now_ns();
	if (now - p->last_ns < REDRAW_NS)
		return;
	p->last_ns = now;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) < 0 || !ws.ws_col)
		ws.ws_col = 80;
	cp_progress_format(line, sizeof(line), ws.ws_col, p, now);
	fprintf(stderr, "\r\033[K%s", line);
	p->on_screen = true;
}

void cp_progress_clear(struct cp_progress *p)
{
	if (p->on_screen)
		fputs("\r\033[K", stderr);
	p->on_screen = false;
}

void cp_progress_scan(struct cp_progress *p, const struct cp_options *o)
{
	uint64_t end = rd_now_ns() + SCAN_NS, bytes = 0, files = 0;
	char **roots = calloc(o->n_sources + 1, sizeof(*roots));
	FTSENT *e = NULL;
	FTS *fts;

	if (!roots)
		return;
	memcpy(roots, o->sources, o->n_sources * sizeof(*roots));
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	free(roots);
	if (!fts)
		return;
	while (!cp_stop && rd_now_ns() < end && (e = fts_read(fts))) {
		if (e->fts_info == FTS_D || e->fts_info == FTS_DP)
			continue;
		files++;
		if (e->fts_info == FTS_F)
			bytes += RD_MIN((uint64_t)e->fts_statp->st_size, (uint64_t)e->fts_statp->st_blocks * 512);
	}
	fts_close(fts);
	if (!e) {		/* to the end */
		p->total_bytes = bytes;
		p->total_files = files;
	}
}
