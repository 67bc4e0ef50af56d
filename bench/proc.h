/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes of ringbench. */
#ifndef RD_BENCH_PROC_H
#define RD_BENCH_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Fork; in the child 0 is returned and nothing outlives the parent. */
pid_t bench_spawn(void);
/* Wait until n bytes, one per process that is set up, came; -ECHILD: all that are left have died. */
int bench_await_ready(int fd, unsigned int n);
void bench_block_sigchld(sigset_t *child);
/* False: a child ended meanwhile. None does before it is told to, unless it failed, so there is nothing to wait for. */
bool bench_sleep(double seconds, const sigset_t *child);
/* As many descriptors as are allowed. */
void bench_raise_nofile(void);
/* CPU time of all threads of a process; 0 if there is none. */
uint64_t bench_cpu_ns(pid_t pid);
/* Bytes of memory of its own that a process has in use: anonymous pages, which everybody may read of everybody. */
uint64_t bench_memory(pid_t pid);

#endif
