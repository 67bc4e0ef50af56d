// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * confine [--errno=EPERM|ENOSYS] [--namespaces] -- PROGRAM [ARGUMENT...]: run a program as a container runtime does that
 * was told nothing special. Its system calls are filtered like by the default profiles of Docker and Podman, io_uring's three
 * included; it has their default capabilities and no_new_privs. With --namespaces it also is in user, mount, pid, net, ipc and uts
 * namespaces of its own, below a small init, with a loopback that is up.
 *
 * Needs no privileges and no helper: without root the user namespace has one user and one group, which are root inside.
 * With root it has 65536, as with --userns-remap. Ends as the program does (128 + N for signal N); 125: it could not be
 * confined, 126: not executed, 127: not found. When it is killed everything inside is.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/util.h"

#define CANNOT 125	/* exit status: not the program's */

/* What both profiles, or one of them, refuse a container with the default capabilities. */
static const char *const denied[] = {
	/* others' state, or all of the machine's */
	"acct", "bpf", "fanotify_init", "kcmp", "lookup_dcookie", "open_by_handle_at", "perf_event_open", "pidfd_getfd",
	"process_madvise", "quotactl", "quotactl_fd", "reboot", "syslog", "vhangup",
	/* mounts and namespaces */
	"fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree", "pivot_root",
	"setdomainname", "sethostname", "setns", "umount2", "unshare",
	/* the kernel itself */
	"create_module", "delete_module", "finit_module", "get_kernel_syms", "init_module", "kexec_file_load", "kexec_load",
	"query_module",
	/* keys, clocks, swap, memory of nodes, ports */
	"add_key", "keyctl", "request_key", "clock_settime", "settimeofday", "swapoff", "swapon", "get_mempolicy", "mbind",
	"migrate_pages", "move_pages", "set_mempolicy", "set_mempolicy_home_node", "ioperm", "iopl",
	/* risky or forgotten */
	"nfsservctl", "_sysctl", "sysfs", "uselib", "userfaultfd", "ustat", "vmsplice",
};

static const char *const uring[] = { "io_uring_setup", "io_uring_enter", "io_uring_register" };

/* Docker's default set */
static const int kept_capabilities[] = {
	CAP_AUDIT_WRITE, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_MKNOD, CAP_NET_BIND_SERVICE,
	CAP_NET_RAW, CAP_SETFCAP, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAP_SYS_CHROOT,
};

/* all but CLONE_NEWTIME, which clone() does not take */
static const unsigned int namespace_flags[] = {
	CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET,
};

static __attribute__((__noreturn__)) void die(const char *what, int error)
{
	fprintf(stderr, "confine: %s: %s\n", what, strerror(error));
	_exit(CANNOT);
}

/* A system call that libseccomp or this architecture does not know cannot be made either. */
static int deny(scmp_filter_ctx filter, const char *name, int error)
{
	int nr = seccomp_syscall_resolve_name(name);

	return nr < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error), nr, 0);
}

static int deny_by_arguments(scmp_filter_ctx filter)
{
	int r;

	for (size_t i = 0; i < RD_ARRAY_SIZE(namespace_flags); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, namespace_flags[i], namespace_flags[i]));
		if (r < 0)
			return r;
	}
	/* its flags are in memory, where no filter can look: glibc then takes clone */
	r = deny(filter, "clone3", ENOSYS);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(personality), 1,
				     SCMP_A0(SCMP_CMP_EQ, ADDR_NO_RANDOMIZE));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_VSOCK));
	return r;
}

static void load_filter(int uring_error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < RD_ARRAY_SIZE(denied); i++)
		r = deny(filter, denied[i], EPERM);
	for (size_t i = 0; r == 0 && i < RD_ARRAY_SIZE(uring); i++)
		r = deny(filter, uring[i], uring_error);
	if (r == 0)
		r = deny_by_arguments(filter);
	if (r == 0)
		r = seccomp_load(filter);
	if (r < 0)
		die("seccomp", -r);
	seccomp_release(filter);
}

static void drop_capabilities(void)
{
	if (geteuid() != 0)
		return;		/* has none, and gets none by exec */
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < RD_ARRAY_SIZE(kept_capabilities); i++)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
			     (unsigned int)kept_capabilities[i]);
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		die("capabilities", errno);
}

static __attribute__((__noreturn__)) void execute(char **argv, int uring_error)
{
	int error;

	drop_capabilities();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("no_new_privs", errno);
	load_filter(uring_error);
	execvp(argv[0], argv);
	error = errno;
	fprintf(stderr, "confine: %s: %s\n", argv[0], strerror(error));
	_exit(error == ENOENT ? 127 : 126);
}

static int status_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static pid_t forked(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork", errno);
	return pid;
}

/* Whoever kills confine ends what it started. Its parent may be gone before it says so. */
static void die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(CANNOT);
}

static void raise_loopback(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		die("loopback", errno);
	close(fd);
}

/* The namespace's first process: /proc of its own, then the program below, and whoever is left without a parent. */
static __attribute__((__noreturn__)) void init_main(char **argv, int uring_error)
{
	pid_t program, pid;
	int status;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("mounts", errno);
	/* refused where parts of /proc are covered, as in a container: then it is the outer one */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 && errno != EPERM)
		die("/proc", errno);
	raise_loopback();
	program = forked();
	if (program == 0)
		execute(argv, uring_error);
	for (;;) {
		pid = wait(&status);
		if (pid == program)
			_exit(status_of(status));
		if (pid < 0 && errno != EINTR)
			_exit(CANNOT);
	}
}

static void write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path, errno);
	close(fd);
}

/* From outside, since root there may map more than itself. */
static void map_users(pid_t pid)
{
	char uids[32] = "0 0 65536", gids[32] = "0 0 65536";

	if (geteuid() != 0) {
		snprintf(uids, sizeof(uids), "0 %u 1", (unsigned int)geteuid());
		snprintf(gids, sizeof(gids), "0 %u 1", (unsigned int)getegid());
		write_file(pid, "setgroups", "deny");
	}
	write_file(pid, "uid_map", uids);
	write_file(pid, "gid_map", gids);
}

/* In the new namespaces but the pid one, into which only children come. @mapped ends when confine does. */
static __attribute__((__noreturn__)) void outer_main(pid_t parent, int tell, int mapped, char **argv, int uring_error)
{
	struct pollfd ended = { .fd = mapped };
	pid_t init;
	int status;
	char c = 0;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		die("namespaces", errno);
	die_with_parent(parent);
	if (write(tell, &c, 1) != 1 || read(mapped, &c, 1) != 1)
		_exit(CANNOT);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		die("user", errno);
	init = forked();
	if (init == 0) {
		/* its parent has no number there, so the pipe tells whether it was too late */
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (poll(&ended, 1, 0) != 0)
			_exit(CANNOT);
		init_main(argv, uring_error);
	}
	while (waitpid(init, &status, 0) < 0)
		if (errno != EINTR)
			_exit(CANNOT);
	_exit(status_of(status));
}

static int run_in_namespaces(char **argv, int uring_error)
{
	int ready[2], mapped[2], status;
	pid_t self = getpid(), child;
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(mapped, O_CLOEXEC) < 0)
		die("pipe", errno);
	child = forked();
	if (child == 0) {
		close(ready[0]);
		close(mapped[1]);
		outer_main(self, ready[1], mapped[0], argv, uring_error);
	}
	close(ready[1]);
	close(mapped[0]);
	if (read(ready[0], &c, 1) == 1) {
		map_users(child);
		if (write(mapped[1], "", 1) != 1)
			die("pipe", errno);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("wait", errno);
	return status_of(status);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "errno", required_argument, NULL, 'e' },
		{ "namespaces", no_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int c, uring_error = EPERM;
	bool namespaces = false;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'n')
			namespaces = true;
		else if (c == 'e' && strcmp(optarg, "ENOSYS") == 0)
			uring_error = ENOSYS;
		else if (c != 'e' || strcmp(optarg, "EPERM") != 0)
			return CANNOT;
	}
	if (optind == argc)
		return CANNOT;
	if (namespaces)
		return run_in_namespaces(argv + optind, uring_error);
	execute(argv + optind, uring_error);
}
