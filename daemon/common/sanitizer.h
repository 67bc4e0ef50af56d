/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RD_SANITIZED is 1 in builds with a sanitizer whose runtime makes system calls of its own, else 0. */
#ifndef RD_SANITIZER_H
#define RD_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RD_SANITIZED	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define RD_SANITIZED	1
#else
#define RD_SANITIZED	0
#endif
#else
#define RD_SANITIZED	0
#endif

#endif
