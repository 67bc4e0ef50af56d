/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a file has data, asked from the file system a range at a time, and where a buffer has. */
#include <string.h>
#include <unistd.h>

#include "ringcp.h"

#define ZERO_BLOCK 4096u	/* holes are made in multiples of this */

void cp_extents_init(struct cp_extents *x, int fd, off_t size)
{
	*x = (struct cp_extents){ .fd = fd, .size = size };
}

void cp_extents_deinit(struct cp_extents *x)
{
	rd_close(x->fd);
	*x = (struct cp_extents){ .fd = -1 };
}

bool cp_extents_next(struct cp_extents *x, off_t *start, off_t *end)
{
	if (x->pos >= x->size)
		return false;
	*start = x->pos;
	*end = x->size;
	if (x->fd >= 0) {
		off_t data = lseek(x->fd, x->pos, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return false;		/* a hole up to the end */
		hole = data < 0 ? -1 : lseek(x->fd, data, SEEK_HOLE);
		if (hole > data && data < x->size) {
			*start = data;
			*end = RD_MIN(hole, x->size);
		} else if (data >= x->size) {
			return false;
		}			/* else it cannot tell: all the rest is data */
	}
	x->pos = *end;
	return true;
}

static bool is_zero(const unsigned char *p, size_t len)
{
	/* the first bytes, then the block against itself moved on by their number: one pass of the C library's memcmp */
	for (size_t i = 0; i < RD_MIN(len, 16u); i++)
		if (p[i])
			return false;
	return len <= 16 || memcmp(p, p + 16, len - 16) == 0;
}

bool cp_nonzero_part(const void *buf, size_t len, size_t *from, size_t *to)
{
	const unsigned char *p = buf;

	*from = 0;
	*to = len;
	while (*from < len && is_zero(p + *from, RD_MIN(len - *from, ZERO_BLOCK)))
		*from += ZERO_BLOCK;
	if (*from >= len)
		return false;
	while (*to > *from) {
		size_t last = (*to - 1) / ZERO_BLOCK * ZERO_BLOCK;

		if (!is_zero(p + last, *to - last))
			break;
		*to = last;
	}
	return true;
}
