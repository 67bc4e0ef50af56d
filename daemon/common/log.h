/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines on stderr ("<N>text", the form journald understands when stderr is the journal), rate limited per call site. */
#ifndef RD_LOG_H
#define RD_LOG_H

#include <syslog.h>

/* Messages below this priority number (LOG_*) or equal are written; LOG_INFO at start. */
void rd_log_set_level(int level);
/* Start of every line: "ringd", "ringd-engine[1000]". Copied. */
void rd_log_set_name(const char *name);
/*
 * One line. Bytes that are not printable ASCII are written as \xNN, so a string of a client cannot forge lines.
 * At most 10 lines a second per format string; what was left out is said once.
 */
void rd_log(int priority, const char *fmt, ...) __attribute__((__format__(__printf__, 2, 3)));

#define rd_error(...)	rd_log(LOG_ERR, __VA_ARGS__)
#define rd_warn(...)	rd_log(LOG_WARNING, __VA_ARGS__)
#define rd_info(...)	rd_log(LOG_INFO, __VA_ARGS__)
#define rd_debug(...)	rd_log(LOG_DEBUG, __VA_ARGS__)

#endif
