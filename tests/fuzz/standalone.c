/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target where there is no libFuzzer: every file of the directories given, then a bounded number of mutations
 * of them. The mutations are the same in every run, so what fails once fails again.
 *
 * PROGRAM [-runs=N] DIRECTORY...
 */
#include <dirent.h>
#include <errno.h>

#include "fuzz.h"

#define MAX_SEEDS	256
#define MAX_SIZE	4096

struct seed {
	uint8_t *data;
	size_t size;
};

static struct seed seeds[MAX_SEEDS];
static size_t n_seeds;
static uint64_t state = 0x9e3779b97f4a7c15u;

/* xorshift64* */
static uint32_t random_below(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1du) >> 33) % n;
}

static int load_file(const char *dir, const char *name)
{
	char path[4096];
	struct seed *s = &seeds[n_seeds];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	s->data = malloc(MAX_SIZE);
	if (!f || !s->data) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	s->size = fread(s->data, 1, MAX_SIZE, f);
	fclose(f);
	n_seeds++;
	return 0;
}

static int by_content(const void *a, const void *b)
{
	const struct seed *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return memcmp(x->data, y->data, x->size);
}

static int load_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (!d) {
		fprintf(stderr, "%s: %s\n", dir, strerror(errno));
		return -1;
	}
	while (r == 0 && n_seeds < MAX_SEEDS && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = load_file(dir, e->d_name);
	closedir(d);
	return r;
}

static size_t mutate(uint8_t *buf, size_t size)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xfe, 0xff };
	size_t at, n;

	switch (random_below(5)) {
	case 0:
		buf[random_below((uint32_t)size)] ^= (uint8_t)(1u << random_below(8));
		return size;
	case 1:
		buf[random_below((uint32_t)size)] = (uint8_t)random_below(256);
		return size;
	case 2:
		n = 1 + random_below(8);
		at = random_below((uint32_t)size);
		memset(buf + at, edges[random_below(sizeof(edges))], n < size - at ? n : size - at);
		return size;
	case 3:		/* cut */
		return 1 + random_below((uint32_t)size);
	default:	/* a piece of another seed behind it */
		{
			const struct seed *s = &seeds[random_below((uint32_t)n_seeds)];

			at = s->size ? random_below((uint32_t)s->size) : 0;
			n = s->size - at < MAX_SIZE - size ? s->size - at : MAX_SIZE - size;
			memcpy(buf + size, s->data + at, n);
			return size + n;
		}
	}
}

static void run_mutation(void)
{
	static uint8_t buf[MAX_SIZE];
	const struct seed *s = &seeds[random_below((uint32_t)n_seeds)];
	size_t size = s->size;
	uint8_t *copy;

	if (!size)
		return;
	memcpy(buf, s->data, size);
	for (uint32_t i = 1 + random_below(4); i > 0; i--)
		size = mutate(buf, size);
	/* of exact size, so that a sanitizer sees a read behind it */
	copy = malloc(size);
	rd_fuzz_check(copy);
	memcpy(copy, buf, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

int main(int argc, char **argv)
{
	unsigned long runs = 0;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-runs=", 6) == 0)
			runs = strtoul(argv[i] + 6, NULL, 10);
		else if (load_dir(argv[i]) < 0)
			return EXIT_FAILURE;
	}
	if (!n_seeds) {
		fprintf(stderr, "no seeds\n");
		return EXIT_FAILURE;
	}
	qsort(seeds, n_seeds, sizeof(seeds[0]), by_content);	/* readdir() has an order of its own */
	for (size_t i = 0; i < n_seeds; i++)
		LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
	for (unsigned long i = 0; i < runs; i++)
		run_mutation();
	printf("%zu seeds, %lu mutations\n", n_seeds, runs);
	for (size_t i = 0; i < n_seeds; i++)
		free(seeds[i].data);
	return EXIT_SUCCESS;
}
