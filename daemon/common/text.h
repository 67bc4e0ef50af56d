/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A text that grows up to a limit; what does not fit is cut off, and the text says so. */
#ifndef RD_TEXT_H
#define RD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct rd_text {
	char *buf;		/* owned; not terminated; NULL: empty */
	size_t len, room, max;
	bool cut;
};

/* max: at least 64 */
void rd_text_init(struct rd_text *t, size_t max);
void rd_text_deinit(struct rd_text *t);
void rd_text_add(struct rd_text *t, const char *fmt, ...) __attribute__((__format__(__printf__, 2, 3)));
void rd_text_add_text(struct rd_text *t, const struct rd_text *more);
/* len bytes that may be anything: what is not printable ASCII becomes a question mark. */
void rd_text_add_name(struct rd_text *t, const char *name, size_t len);

#endif
