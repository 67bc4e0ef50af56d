/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the sanitizers must be told, where a test does what they do not know. One file of a program includes this.
 *
 * AddressSanitizer: a thread that was cancelled leaves the marks of the frames it was unwound from on its stack, and the runtime
 * then meets them when it gives back the signal stack it made for that thread.
 *
 * ThreadSanitizer: a handler that enters a ring may allocate memory. One that interrupts us is refused, and that one which interrupts
 * malloc() itself has to be avoided by the program is not for this test to say.
 */
#ifndef RD_TEST_SANITIZED_H
#define RD_TEST_SANITIZED_H

const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "use_sigaltstack=0";
}

const char *__tsan_default_options(void)
{
	return "report_signal_unsafe=0";
}

#endif
