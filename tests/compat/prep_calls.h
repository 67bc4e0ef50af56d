/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes functions and a table out of prep_cases.h. Known before: SQE, a type; TABLE, a name; and the prep functions. */
#include "prep_calls_type.h"

#define NAME2(line)	call_##line
#define NAME(line)	NAME2(line)

#define PREP(fn, ...)	static void NAME(__LINE__)(void *sqe) { io_uring_##fn((SQE *)sqe, ##__VA_ARGS__); }
#include "prep_cases.h"

const struct prep_call TABLE[] = {
#define PREP(fn, ...)	{ #fn, NAME(__LINE__) },
#include "prep_cases.h"
	{ NULL, NULL }
};
