/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines. One write(2) per line, so lines of several threads and processes do not mix. What goes in is escaped,
 * and every format string has its own budget of lines per second: neither a hostile name nor a retry loop can forge
 * or flood the log.
 */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "util.h"

#define LINE_MAX_RAW	1024	/* bytes of a message before escaping; longer ones are cut */
#define PER_SECOND	10
#define N_SITES		64	/* format strings that are counted apart; beyond that they share */

struct site {
	const char *fmt;
	uint64_t window;	/* the second it counts, 0: never used */
	uint32_t lines;		/* asked for in that second */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* protects sites and name */
static struct site sites[N_SITES];
static char name[32] = "ringd";
static int max_level = LOG_INFO;

void rd_log_set_level(int level)
{
	__atomic_store_n(&max_level, level, __ATOMIC_RELAXED);
}

void rd_log_set_name(const char *n)
{
	pthread_mutex_lock(&lock);
	snprintf(name, sizeof(name), "%s", n);
	pthread_mutex_unlock(&lock);
}

/* The site of fmt, or its home slot when the table is full: then strangers share a budget, nothing is lost. */
static struct site *site_find(const char *fmt)
{
	size_t home = ((uintptr_t)fmt >> 3) % N_SITES;

	for (size_t i = 0; i < N_SITES; i++) {
		struct site *s = &sites[(home + i) % N_SITES];

		if (!s->fmt)
			s->fmt = fmt;
		if (s->fmt == fmt)
			return s;
	}
	return &sites[home];
}

/*
 * Counts one line. True: write it. *left_out: lines of an earlier second that were not written. *last: the line is
 * the last of this second.
 */
static bool site_take(const char *fmt, uint32_t *left_out, bool *last)
{
	struct site *s = site_find(fmt);
	uint64_t now = rd_now_ns() / 1000000000u + 1;

	*left_out = 0;
	if (s->window != now) {
		*left_out = s->lines > PER_SECOND ? s->lines - PER_SECOND : 0;
		s->window = now;
		s->lines = 0;
	}
	if (s->lines < UINT32_MAX)
		s->lines++;
	*last = s->lines == PER_SECOND;
	return s->lines <= PER_SECOND;
}

/* Appends text at out, everything but printable ASCII as \xNN. Returns the new end. The caller has room for 4 times text. */
static char *append_escaped(char *out, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c < 0x7f) {
			*out++ = (char)c;
			continue;
		}
		*out++ = '\\';
		*out++ = 'x';
		*out++ = hex[c >> 4];
		*out++ = hex[c & 15];
	}
	return out;
}

static void write_line(int priority, const char *raw, const char *suffix)
{
	char line[4 * LINE_MAX_RAW + 160];
	char *p = line;
	ssize_t r;

	if (!isatty(STDERR_FILENO))	/* a journal, a file or a pipe: let the reader see the priority */
		p += sprintf(p, "<%d>", priority & 7);
	p += sprintf(p, "%s: ", name);
	p = append_escaped(p, raw);
	p += sprintf(p, "%s\n", suffix);
	r = write(STDERR_FILENO, line, (size_t)(p - line));
	(void)r;			/* there is nobody left to tell */
}

void rd_log(int priority, const char *fmt, ...)
{
	char raw[LINE_MAX_RAW], left[64];
	int saved = errno;
	uint32_t left_out;
	bool go, last;
	va_list ap;

	if (priority > __atomic_load_n(&max_level, __ATOMIC_RELAXED))
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);

	pthread_mutex_lock(&lock);
	go = site_take(fmt, &left_out, &last);
	if (left_out > 0) {
		snprintf(left, sizeof(left), "%u lines like the next one were left out", left_out);
		write_line(priority, left, "");
	}
	if (go)
		write_line(priority, raw, last ? " (more of these are left out for a second)" : "");
	pthread_mutex_unlock(&lock);
	errno = saved;
}
