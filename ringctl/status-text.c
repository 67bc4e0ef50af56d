/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Status as tables. */
#include <pwd.h>
#include <string.h>

#include "daemon/common/util.h"
#include "ringctl.h"

static void print_head(FILE *out, const struct ringd_status *s)
{
	const struct passwd *pw = getpwuid(s->uid);
	char up[32];

	if (s->msg.res < 0) {
		fprintf(out, "engine %u  user %s%s%u%s  does not answer: %s\n", s->engine_pid, pw ? pw->pw_name : "",
			pw ? " (" : "", s->uid, pw ? ")" : "", strerror(-s->msg.res));
		return;
	}
	rc_format_uptime(up, sizeof(up), s->uptime_ms);
	fprintf(out, "engine %u  user %s%s%u%s  up %s  backend %s  clients %llu  rings %llu", s->engine_pid,
		pw ? pw->pw_name : "", pw ? " (" : "", s->uid, pw ? ")" : "", up, s->backend,
		(unsigned long long)s->used[RINGD_LIMIT_CLIENTS], (unsigned long long)s->used[RINGD_LIMIT_RINGS]);
	if (s->restarts)
		fprintf(out, "  restarted %u times", s->restarts);
	fprintf(out, "\n  in flight %llu  submitted %llu  completed %llu  by workers %llu  polled %llu  kernel ring %llu\n",
		(unsigned long long)rc_in_flight(s), (unsigned long long)s->submitted, (unsigned long long)s->completed,
		(unsigned long long)s->punted, (unsigned long long)s->polled, (unsigned long long)s->uring);
	if (s->rings_killed)
		fprintf(out, "  rings ended for protocol errors: %llu\n", (unsigned long long)s->rings_killed);
}

static void print_budgets(FILE *out, const struct ringd_status *s)
{
	fprintf(out, "\n  %-16s %16s %16s %6s\n", "BUDGET", "USED", "LIMIT", "");
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++) {
		fprintf(out, "  %-16s %16llu %16llu", rc_limit_name(i), (unsigned long long)s->used[i],
			(unsigned long long)s->limit[i]);
		if (s->limit[i])
			fprintf(out, " %5.1f%%", 100.0 * (double)s->used[i] / (double)s->limit[i]);
		fputc('\n', out);
	}
}

static void print_ops(FILE *out, const struct ringd_status *s)
{
	fprintf(out, "\n  %-16s %16s %12s %12s\n", "REQUEST", "COMPLETED", "P50", "P99");
	for (unsigned int i = 0; i < RINGD_STATUS_OPS; i++) {
		char p50[24] = "-", p99[24] = "-";

		if (!s->ops[i])
			continue;
		if (rc_latency_samples(s->latency[i], RINGD_LATENCY_BUCKETS)) {
			rc_format_ns(p50, sizeof(p50), rc_latency_quantile(s->latency[i], RINGD_LATENCY_BUCKETS, 0.50));
			rc_format_ns(p99, sizeof(p99), rc_latency_quantile(s->latency[i], RINGD_LATENCY_BUCKETS, 0.99));
		}
		fprintf(out, "  %-16s %16llu %12s %12s\n", rc_op_name(i), (unsigned long long)s->ops[i], p50, p99);
	}
}

int rc_status_print_text(FILE *out, const struct ringd_status *s, size_t n)
{
	if (!n)
		fprintf(out, "no engine is running\n");
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputc('\n', out);
		print_head(out, &s[i]);
		if (s[i].msg.res < 0)
			continue;
		print_budgets(out, &s[i]);
		if (s[i].completed)
			print_ops(out, &s[i]);
	}
	return ferror(out) ? -EIO : 0;
}
