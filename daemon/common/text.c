/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define RD_CUT		"\n(more)\n"
#define RD_TEXT_LINE	512	/* what one call adds at most */

void rd_text_init(struct rd_text *t, size_t max)
{
	*t = (struct rd_text){ .max = max - (sizeof(RD_CUT) - 1) };
}

void rd_text_deinit(struct rd_text *t)
{
	free(t->buf);
	*t = (struct rd_text){ 0 };
}

/* Room for len bytes more and for the words that say that there was none. */
static bool grow(struct rd_text *t, size_t len)
{
	size_t want = t->len + len + sizeof(RD_CUT), room = RD_MAX(want, 2 * t->room);
	char *buf;

	if (t->cut || len > t->max - t->len)
		return false;
	if (want <= t->room)
		return true;
	buf = realloc(t->buf, room);
	if (!buf)
		return false;
	t->buf = buf;
	t->room = room;
	return true;
}

static void add(struct rd_text *t, const char *src, size_t len)
{
	if (t->cut)
		return;
	if (!grow(t, len)) {
		t->cut = true;
		if (!t->buf)	/* not even a beginning */
			return;
		src = RD_CUT;
		len = sizeof(RD_CUT) - 1;
	}
	memcpy(t->buf + t->len, src, len);
	t->len += len;
}

void rd_text_add(struct rd_text *t, const char *fmt, ...)
{
	char line[RD_TEXT_LINE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		add(t, line, RD_MIN((size_t)n, sizeof(line) - 1));
}

void rd_text_add_name(struct rd_text *t, const char *name, size_t len)
{
	char line[RD_TEXT_LINE];

	len = RD_MIN(len, sizeof(line));
	for (size_t i = 0; i < len; i++)
		line[i] = name[i] >= 0x20 && name[i] < 0x7f ? name[i] : '?';
	add(t, line, len);
}

void rd_text_add_text(struct rd_text *t, const struct rd_text *more)
{
	if (more->len)
		add(t, more->buf, more->len);
}
