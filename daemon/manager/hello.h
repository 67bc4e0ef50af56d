/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one message a client may send to the manager. */
#ifndef RD_HELLO_H
#define RD_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

/*
 * Judges a packet of len bytes that was read into *h. 0 and *version: a good HELLO. -EPROTO: no HELLO.
 * -EPROTONOSUPPORT: no version in common. *text (static) says why.
 */
int rd_hello_check(const struct ringd_hello *h, size_t len, uint16_t *version, const char **text);
/* Answers a HELLO with a failure: res is a negative errno. What the client sent after it is thrown away. Never fails. */
void rd_hello_refuse(int sock, uint32_t seq, int res, const char *text);

#endif
