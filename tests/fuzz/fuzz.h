/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share. A target defines LLVMFuzzerTestOneInput(); libFuzzer's main() or the one in standalone.c
 * calls it. Whatever must never happen ends the process (rd_fuzz_check), so that both see it.
 */
#ifndef RD_FUZZ_H
#define RD_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define rd_fuzz_check(expr) \
	do { \
		if (!(expr)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #expr); \
			abort(); \
		} \
	} while (0)

/* The input, taken from the front. What is missing at its end reads as zero. */
struct rd_fuzz_input {
	const uint8_t *data;
	size_t left;
};

static inline void rd_fuzz_bytes(struct rd_fuzz_input *in, void *dst, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	memset(dst, 0, n);
	if (have)
		memcpy(dst, in->data, have);
	in->data += have;
	in->left -= have;
}

static inline uint8_t rd_fuzz_u8(struct rd_fuzz_input *in)
{
	uint8_t v;

	rd_fuzz_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint16_t rd_fuzz_u16(struct rd_fuzz_input *in)
{
	uint16_t v;

	rd_fuzz_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint32_t rd_fuzz_u32(struct rd_fuzz_input *in)
{
	uint32_t v;

	rd_fuzz_bytes(in, &v, sizeof(v));
	return v;
}

/* A directory of this process's own, removed with what is in it when the process ends; its O_PATH descriptor. */
int rd_fuzz_dir(void);
/* Remove the files in it. */
void rd_fuzz_dir_clean(void);
/* Files can grow to 1 MiB from here on; the limit is an error, not a signal. */
void rd_fuzz_limit_files(void);

#endif
