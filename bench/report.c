/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Add up what the clients measured, and say it: for people, as JSON, or as key=value lines for scripts. */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <string.h>

#include "bench.h"
#include "daemon/common/util.h"

static const double quantiles[] = { 0.50, 0.99, 0.999 };
static const char *const quantile_names[] = { "p50_ns", "p99_ns", "p999_ns" };

const struct bench_unit bench_units[BENCH_OPS] = {
	[BENCH_NOP] = { 1, { 0 } },
	[BENCH_READ] = { 1, { 0 } },
	[BENCH_WRITE] = { 1, { 0 } },
	[BENCH_LINK] = { 2, { 0, 0 } },			/* a NOP, and one linked to it */
	[BENCH_TIMEOUT] = { 2, { -ECANCELED, 0 } },	/* armed, and removed */
	[BENCH_POLL] = { 1, { POLLIN } },		/* of an eventfd that is readable */
	[BENCH_POLL_WAIT] = { 1, { POLLIN } },		/* of one that is not yet */
	[BENCH_OPEN] = { 2, { 0, 0 } },			/* into a slot, and closed */
	[BENCH_STATX] = { 1, { 0 } },
	[BENCH_ECHO] = { 1, { 0 } },
	[BENCH_STREAM] = { 1, { 0 } },
	[BENCH_CONNECT] = { 1, { 0 } },
};

const char *bench_op_name(enum bench_op op)
{
	static const char *const names[] = {
		[BENCH_NOP] = "nop", [BENCH_READ] = "read", [BENCH_WRITE] = "write", [BENCH_LINK] = "link",
		[BENCH_TIMEOUT] = "timeout", [BENCH_POLL] = "poll", [BENCH_POLL_WAIT] = "poll-wait", [BENCH_OPEN] = "open",
		[BENCH_STATX] = "statx", [BENCH_ECHO] = "echo", [BENCH_STREAM] = "stream", [BENCH_CONNECT] = "connect",
	};

	return names[op];
}

const char *bench_target_name(enum bench_target target)
{
	static const char *const names[] = {
		[BENCH_RINGD] = "ringd", [BENCH_KERNEL] = "kernel", [BENCH_BARE] = "bare", [BENCH_EPOLL] = "epoll",
	};

	return names[target];
}

void bench_totals_compute(struct bench_totals *t, const struct bench_opts *o, const struct bench_shared *sh,
			  uint64_t service_ns)
{
	double thread = 0, process = 0, slowest = -1;

	memset(t, 0, sizeof(*t));
	for (unsigned int i = 0; i < o->clients; i++) {
		const struct bench_result *res = &sh->result[i];
		double rate = res->ns ? (double)res->ops * 1e9 / (double)res->ns : 0;

		t->ops += res->ops;
		t->ns = RD_MAX(t->ns, res->ns);
		t->ops_per_s += rate;
		thread += (double)res->thread_ns;
		process += (double)res->process_ns;
		if (slowest < 0 || rate < slowest)
			slowest = rate;
		bench_hist_merge(t->hist, res->hist);
	}
	t->service_pid = sh->result[0].service_pid;
	if (!t->ops)
		return;
	t->ns_per_op = 1e9 / t->ops_per_s;
	t->client_ns_per_op = thread / (double)t->ops;
	/* the kernel's SQPOLL thread is a thread of the client's process, ringd's engine is another process */
	t->service_ns_per_op = (o->target == BENCH_KERNEL ? process - thread : (double)service_ns) / (double)t->ops;
	t->slowest_share = slowest / (t->ops_per_s / o->clients);
}

static const char *family_name(const struct bench_opts *o)
{
	return o->family == BENCH_UNIX ? "unix" : "tcp";
}

static void text_net(FILE *out, const struct bench_opts *o, const struct bench_totals *t)
{
	fprintf(out, "%s %s %s, %u bytes%s, %u connection%s", bench_target_name(o->target), bench_op_name(o->op), family_name(o),
		o->bs, o->sqpoll ? " SQPOLL" : "", o->conns, o->conns == 1 ? "" : "s");
	if (o->idle_conns)
		fprintf(out, ", %u idle ones beside", o->idle_conns);
	fprintf(out, "\n  %.0f ops/s, %.1f ns/op, %.1f MB/s\n", t->ops_per_s, t->ns_per_op, t->ops_per_s * o->bs / 1e6);
	fprintf(out, "  CPU per op: server %.1f ns, service %.1f ns, load %.1f ns\n", t->client_ns_per_op, t->service_ns_per_op,
		t->load_ns_per_op);
	fprintf(out, "  memory per connection: server %.0f bytes, service %.0f bytes\n", t->server_memory, t->service_memory);
}

static void text_latency(FILE *out, const struct bench_totals *t)
{
	fprintf(out, "  latency:");
	for (size_t i = 0; i < RD_ARRAY_SIZE(quantiles); i++)
		fprintf(out, " %s %llu", quantile_names[i], (unsigned long long)bench_hist_quantile(t->hist, quantiles[i]));
	fputc('\n', out);
}

static int report_text(FILE *out, const struct bench_opts *o, const struct bench_totals *t)
{
	if (bench_op_net(o->op)) {
		text_net(out, o, t);
		if (o->latency)
			text_latency(out, t);
		return 0;
	}
	fprintf(out, "%s %s QD%u", bench_target_name(o->target), bench_op_name(o->op), o->qd);
	if (bench_op_transfers(o->op))
		fprintf(out, " %u bytes%s%s %s", o->bs, o->direct ? " direct" : "", o->fixed ? " fixed" : "",
			o->pattern == BENCH_RAND ? "random" : "sequential");
	fprintf(out, "%s, %u client%s", o->sqpoll ? " SQPOLL" : "", o->clients, o->clients == 1 ? "" : "s");
	if (o->idle_rings)
		fprintf(out, ", %u idle rings beside", o->idle_rings);
	fprintf(out, "\n  %.0f ops/s, %.1f ns/op", t->ops_per_s, t->ns_per_op);
	if (bench_op_transfers(o->op))
		fprintf(out, ", %.1f MB/s", t->ops_per_s * o->bs / 1e6);
	fprintf(out, "\n  CPU per op: client %.1f ns, service %.1f ns\n", t->client_ns_per_op, t->service_ns_per_op);
	if (o->clients > 1)
		fprintf(out, "  slowest client: %.2f of the mean\n", t->slowest_share);
	if (o->latency)
		text_latency(out, t);
	return 0;
}

static int report_terse(FILE *out, const struct bench_opts *o, const struct bench_totals *t)
{
	fprintf(out, "target=%s\nop=%s\nops=%llu\nops_per_s=%.0f\nns_per_op=%.2f\n", bench_target_name(o->target),
		bench_op_name(o->op), (unsigned long long)t->ops, t->ops_per_s, t->ns_per_op);
	fprintf(out, "client_cpu_ns_per_op=%.2f\nservice_cpu_ns_per_op=%.2f\nslowest_share=%.3f\nservice_pid=%d\n",
		t->client_ns_per_op, t->service_ns_per_op, t->slowest_share, t->service_pid);
	if (bench_op_net(o->op))
		fprintf(out, "load_cpu_ns_per_op=%.2f\nserver_bytes_per_conn=%.0f\nservice_bytes_per_conn=%.0f\n", t->load_ns_per_op,
			t->server_memory, t->service_memory);
	for (size_t i = 0; o->latency && i < RD_ARRAY_SIZE(quantiles); i++)
		fprintf(out, "%s=%llu\n", quantile_names[i],
			(unsigned long long)bench_hist_quantile(t->hist, quantiles[i]));
	return 0;
}

static struct json_object *config_json(const struct bench_opts *o)
{
	struct json_object *c = json_object_new_object();

	json_object_object_add(c, "qd", json_object_new_int64(o->qd));
	json_object_object_add(c, "batch", json_object_new_int64(o->batch));
	json_object_object_add(c, "sqpoll", json_object_new_boolean(o->sqpoll));
	json_object_object_add(c, "clients", json_object_new_int64(o->clients));
	json_object_object_add(c, "idle_rings", json_object_new_int64(o->idle_rings));
	if (bench_op_net(o->op)) {
		json_object_object_add(c, "family", json_object_new_string(family_name(o)));
		json_object_object_add(c, "conns", json_object_new_int64(o->conns));
		json_object_object_add(c, "idle_conns", json_object_new_int64(o->idle_conns));
		json_object_object_add(c, "bs", json_object_new_int64(o->bs));
	}
	if (!bench_op_transfers(o->op))
		return c;
	json_object_object_add(c, "bs", json_object_new_int64(o->bs));
	json_object_object_add(c, "direct", json_object_new_boolean(o->direct));
	json_object_object_add(c, "fixed", json_object_new_boolean(o->fixed));
	json_object_object_add(c, "pattern", json_object_new_string(o->pattern == BENCH_RAND ? "rand" : "seq"));
	json_object_object_add(c, "file_size", json_object_new_int64((int64_t)o->file_size));
	return c;
}

static int report_json(FILE *out, const struct bench_opts *o, const struct bench_totals *t)
{
	struct json_object *j = json_object_new_object(), *lat;
	int r;

	json_object_object_add(j, "target", json_object_new_string(bench_target_name(o->target)));
	json_object_object_add(j, "op", json_object_new_string(bench_op_name(o->op)));
	json_object_object_add(j, "config", config_json(o));
	json_object_object_add(j, "ops", json_object_new_int64((int64_t)t->ops));
	json_object_object_add(j, "seconds", json_object_new_double((double)t->ns / 1e9));
	json_object_object_add(j, "ops_per_s", json_object_new_double(t->ops_per_s));
	json_object_object_add(j, "ns_per_op", json_object_new_double(t->ns_per_op));
	json_object_object_add(j, "client_cpu_ns_per_op", json_object_new_double(t->client_ns_per_op));
	json_object_object_add(j, "service_cpu_ns_per_op", json_object_new_double(t->service_ns_per_op));
	json_object_object_add(j, "service_pid", json_object_new_int(t->service_pid));
	json_object_object_add(j, "slowest_share", json_object_new_double(t->slowest_share));
	if (bench_op_net(o->op)) {
		json_object_object_add(j, "load_cpu_ns_per_op", json_object_new_double(t->load_ns_per_op));
		json_object_object_add(j, "server_bytes_per_conn", json_object_new_double(t->server_memory));
		json_object_object_add(j, "service_bytes_per_conn", json_object_new_double(t->service_memory));
	}
	if (o->latency) {
		lat = json_object_new_object();
		for (size_t i = 0; i < RD_ARRAY_SIZE(quantiles); i++)
			json_object_object_add(lat, quantile_names[i],
					       json_object_new_int64((int64_t)bench_hist_quantile(t->hist, quantiles[i])));
		json_object_object_add(j, "latency", lat);
	}
	r = fprintf(out, "%s\n", json_object_to_json_string_ext(j, JSON_C_TO_STRING_PRETTY));
	json_object_put(j);
	return r < 0 ? -EIO : 0;
}

int bench_report(FILE *out, const struct bench_opts *o, const struct bench_totals *t)
{
	static int (*const formats[])(FILE *, const struct bench_opts *, const struct bench_totals *) = {
		[BENCH_TEXT] = report_text, [BENCH_JSON] = report_json, [BENCH_TERSE] = report_terse,
	};

	return formats[o->format](out, o, t);
}
