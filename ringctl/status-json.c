/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Status as JSON: {"engines": [...]}. Keys are only ever added; ringctl(1) lists them. */
#include <json-c/json.h>
#include <pwd.h>

#include "daemon/common/util.h"
#include "ringctl.h"

static void add_u64(struct json_object *j, const char *key, uint64_t v)
{
	json_object_object_add(j, key, json_object_new_uint64(v));
}

static struct json_object *budgets(const struct ringd_status *s)
{
	struct json_object *all = json_object_new_object();

	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++) {
		struct json_object *one = json_object_new_object();

		add_u64(one, "used", s->used[i]);
		add_u64(one, "limit", s->limit[i]);
		json_object_object_add(all, rc_limit_name(i), one);
	}
	return all;
}

static struct json_object *ops(const struct ringd_status *s)
{
	struct json_object *all = json_object_new_object();

	for (unsigned int i = 0; i < RINGD_STATUS_OPS; i++) {
		struct json_object *one;
		uint64_t samples = rc_latency_samples(s->latency[i], RINGD_LATENCY_BUCKETS);

		if (!s->ops[i])
			continue;
		one = json_object_new_object();
		add_u64(one, "completed", s->ops[i]);
		add_u64(one, "latency_samples", samples);
		if (samples) {
			add_u64(one, "p50_ns", rc_latency_quantile(s->latency[i], RINGD_LATENCY_BUCKETS, 0.50));
			add_u64(one, "p99_ns", rc_latency_quantile(s->latency[i], RINGD_LATENCY_BUCKETS, 0.99));
		}
		json_object_object_add(all, rc_op_name(i), one);
	}
	return all;
}

static struct json_object *requests(const struct ringd_status *s)
{
	struct json_object *j = json_object_new_object();

	add_u64(j, "submitted", s->submitted);
	add_u64(j, "completed", s->completed);
	add_u64(j, "in_flight", rc_in_flight(s));
	add_u64(j, "punted", s->punted);
	add_u64(j, "polled", s->polled);
	add_u64(j, "uring", s->uring);
	json_object_object_add(j, "by_opcode", ops(s));
	return j;
}

static struct json_object *engine(const struct ringd_status *s)
{
	struct json_object *j = json_object_new_object();
	const struct passwd *pw = getpwuid(s->uid);

	add_u64(j, "pid", s->engine_pid);
	add_u64(j, "uid", s->uid);
	add_u64(j, "gid", s->gid);
	if (pw)
		json_object_object_add(j, "user", json_object_new_string(pw->pw_name));
	json_object_object_add(j, "answers", json_object_new_boolean(s->msg.res >= 0));
	add_u64(j, "uptime_ms", s->uptime_ms);
	add_u64(j, "restarts", s->restarts);
	json_object_object_add(j, "backend", json_object_new_string(s->backend));
	add_u64(j, "clients", s->used[RINGD_LIMIT_CLIENTS]);
	add_u64(j, "rings", s->used[RINGD_LIMIT_RINGS]);
	add_u64(j, "rings_killed", s->rings_killed);
	json_object_object_add(j, "requests", requests(s));
	json_object_object_add(j, "budgets", budgets(s));
	return j;
}

int rc_status_print_json(FILE *out, const struct ringd_status *s, size_t n)
{
	struct json_object *j = json_object_new_object(), *list = json_object_new_array();
	int r;

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, engine(&s[i]));
	json_object_object_add(j, "engines", list);
	r = fprintf(out, "%s\n", json_object_to_json_string_ext(j, JSON_C_TO_STRING_PRETTY));
	json_object_put(j);
	return r < 0 ? -EIO : 0;
}
