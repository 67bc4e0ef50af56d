/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringd-run: a program gets liburing.so.2 of ours, or a trap for the system calls, by what the dynamic loader is told in the
 * environment. What can be told, and whether the loader will listen, depends on the program; nothing of it runs before exec.
 */
#ifndef RD_RUN_H
#define RD_RUN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses, as env(1) has them. */
#define RUN_FAILED	125	/* ringd-run itself */
#define RUN_REFUSED	126	/* the program is there and cannot be executed, or not be served */
#define RUN_NOT_FOUND	127

#define RUN_TRAP	"libringd-trap.so"
#define RUN_LIBRARY	"liburing.so.2"
#define RUN_FFI		"liburing-ffi.so.2"
#define RUN_ASAN	"libasan.so."

enum run_door { RUN_DOOR_AUTO, RUN_DOOR_LIBRARY, RUN_DOOR_TRAP };
enum run_backend { RUN_BACKEND_DEFAULT, RUN_BACKEND_SYNC, RUN_BACKEND_URING, RUN_BACKEND_KERNEL };

struct run_options {
	bool check, report;
	const char *report_file;	/* NULL: standard error */
	enum run_door door;
	enum run_backend backend;
	char **argv;			/* of the program; NULL: none (--check) */
};

/* --- options.c --- */
void run_options_parse(struct run_options *o, int argc, char **argv);	/* what is wrong ends the program with a text */

/* --- elf.c --- */
enum run_elf_kind {
	RUN_ELF_NOT,		/* something else */
	RUN_ELF_BROKEN,
	RUN_ELF_FOREIGN,	/* of another machine or word size than ours */
	RUN_ELF_STATIC,		/* no interpreter: nobody reads the environment */
	RUN_ELF_DYNAMIC,
};
struct run_elf {
	enum run_elf_kind kind;
	char interp[PATH_MAX];	/* DYNAMIC */
};
void run_elf_read(struct run_elf *elf, int fd);

/* --- program.c --- */
struct run_program {
	char path[PATH_MAX];	/* what execvp() finds */
	char image[PATH_MAX];	/* what the kernel loads: the program, or what its #! names */
	bool script;
	bool looked;		/* false: it may be executed, but not read */
	bool usual;		/* its dynamic loader is the one we have been started by */
	char interp[PATH_MAX];
	char refusal[PATH_MAX + 512];	/* not empty: it cannot be served, and why */
};
/* As execvp() looks for it. 0, -ENOENT, -EACCES, -ENAMETOOLONG... */
int run_program_find(struct run_program *p, const char *name);
void run_program_look(struct run_program *p);

/* --- loader.c --- */
struct run_libs {
	bool asked;
	bool known;		/* false: the loader cannot be asked, or has not answered */
	bool linked;		/* with liburing.so.2 or liburing-ffi.so.2, by itself or through another library */
	bool trap;		/* has ours been loaded, too */
	bool asan;		/* with AddressSanitizer's library */
	char liburing[PATH_MAX];	/* where it comes from; empty: nowhere */
	char problem[256];	/* a library or a version that is missing */
};
/* Which libraries a program would get in our present environment; the loader maps them, nobody calls them. */
void run_libs_list(struct run_libs *libs, const struct run_program *p);

/* --- plan.c --- */
struct run_plan {
	enum run_door door;	/* never AUTO; LIBRARY also where all is left to what is loaded later */
	bool none;		/* nothing is put before the program: the kernel's io_uring */
	bool library_path, preload_library, preload_trap;
	const char *why;
	int status;		/* not 0: no door, exit with this, */
	char refusal[PATH_MAX + 1024];	/* and say this */
};
/* The environment has what the plan says when this returns. libs: what was found out on the way. */
void run_plan_make(struct run_plan *plan, struct run_libs *libs, const struct run_program *p, const struct run_options *o);

/* --- environ.c --- */
/* Where the libraries are: false with *dir where they were expected. */
bool run_libdir_find(char *dir, size_t size);
/* One more in a list such as LD_PRELOAD's; what is in it stays. -ENOMEM. */
int run_environ_add(const char *name, const char *separators, const char *item, bool first);
int run_environ_report(const char *file);	/* NULL: standard error. -errno */

/* --- refusal.c --- */
enum run_layer { RUN_ALLOWED, RUN_KERNEL, RUN_SECCOMP, RUN_SYSCTL, RUN_MEMLOCK, RUN_LSM, RUN_SERVED, RUN_UNKNOWN };
struct run_kernel {		/* facts */
	int setup, enter;	/* what the calls answer: 0 or an errno */
	bool killed;		/* whoever makes them is */
	bool served;		/* by ringd: we have been started by ringd-run */
	int seccomp;		/* of /proc/self/status: 0, 1, 2; -1: not known */
	int disabled;		/* sysctl kernel.io_uring_disabled; -1: there is none */
	long long group;	/* sysctl kernel.io_uring_group; -1: none */
	bool in_group, admin;	/* CAP_SYS_ADMIN where the sysctl asks for it */
	bool known_call;	/* the kernel is known to have io_uring, whatever it answers */
	bool counts_memlock;	/* rings are counted against RLIMIT_MEMLOCK: before 5.12 */
	unsigned long long memlock;
	bool can_filter;	/* a seccomp filter can be installed: the trap needs one */
	char lsm[128];
	char release[65];
};
void run_kernel_ask(struct run_kernel *k);
/* Which layer it is that says no. */
enum run_layer run_kernel_layer(const struct run_kernel *k);

/* --- check.c --- */
/* The exit status of --check. */
int run_check(const struct run_options *o);

#endif
