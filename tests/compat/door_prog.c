// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program that makes the three system calls itself, in all the ways there are: door_prog CASE. It knows nothing of ringd and is
 * run with libringd-trap.so preloaded. Exit 0: all went as on the kernel; else the line that did not.
 */
#undef _FORTIFY_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "client-lib/compat/door/raw.h"
#include "fake_local.h"

#define SETUP		425
#define ENTER		426
#define REGISTER	427
#define GETEVENTS	1
#define PROBE		8	/* opcode of register */

#define MUST(expr)                                                                                                             \
	do {                                                                                                                   \
		if (!(expr)) {                                                                                                 \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #expr, errno);                           \
			_exit(1);                                                                                              \
		}                                                                                                              \
	} while (0)

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"	/* sighold() */

static const char *self;
static int ring = -1;

static long asm_setup(unsigned int entries, struct ringd_params *p)
{
	return rd_raw(SETUP, entries, (long)p, 0, 0, 0, 0);
}

static long asm_enter(int fd)
{
	return rd_raw(ENTER, fd, 0, 0, 0, 0, 0);
}

static int asm_ring(void)
{
	struct ringd_params p = { 0 };

	ring = (int)asm_setup(8, &p);
	MUST(ring >= 0);
	return ring;
}

static void by_syscall(void)
{
	struct ringd_params p = { 0 };
	char probe[16 + 256 * 8] = { 0 };
	int fd;

	errno = 0;
	fd = (int)syscall(SETUP, 8, &p);
	MUST(fd >= 0 && p.sq_entries == 8 && errno == 0);
	MUST(syscall(ENTER, fd, 0, 0, 0, NULL, 0) == 0);
	MUST(syscall(REGISTER, fd, PROBE, probe, 256) == 0);
	MUST(syscall(SETUP, 0, &p) == -1 && errno == EINVAL);
	MUST(syscall(ENTER, 0, 0, 0, 0, NULL, 0) == -1 && errno == EOPNOTSUPP);
	MUST(close(fd) == 0);
}

static void by_assembler(void)
{
	struct ringd_params p = { 0 };
	char probe[16 + 256 * 8] = { 0 };
	int fd;

	errno = 77;
	fd = (int)asm_setup(8, &p);
	MUST(fd >= 0 && p.sq_entries == 8);
	MUST(asm_enter(fd) == 0);
	MUST(rd_raw(REGISTER, fd, PROBE, (long)probe, 256, 0, 0) == 0);
	MUST(asm_setup(0, &p) == -EINVAL);
	MUST(asm_enter(0) == -EOPNOTSUPP);
	MUST(errno == 77);
	MUST(close(fd) == 0);
}

#ifdef __x86_64__
/* The arguments' registers, and what is below the stack pointer. */
static void arguments_are_kept(int fd, long i)
{
	long rdi = fd, rsi = 0, rdx = 0, rax = ENTER, red;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	register long r9 __asm__("r9") = 0x2222 + i;

	__asm__ volatile("movq %[i], -64(%%rsp)\n\tsyscall\n\tmovq -64(%%rsp), %[red]"
			 : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), [red] "=&b"(red)
			 : [i] "r"(i)
			 : "rcx", "r11", "memory");
	MUST(rax == 0 && rdi == fd && !rsi && !rdx && !r10 && !r8 && r9 == 0x2222 + i && red == i);
}

/* Those that are nobody's business: the others, vectors with their upper halves, the stack of the x87, the carry flag. */
static __attribute__((__target__("avx"))) void others_are_kept(int fd, long i)
{
	uint64_t v[20] = { (uint64_t)i, 1, 2, 3, ~(uint64_t)i, 5, 6, 7 };	/* twice eight of vectors, four registers */
	uint8_t carry = 0;
	double pi = 0;

	__asm__ volatile("vmovdqu (%[in]), %%ymm1\n\tvmovdqu 32(%[in]), %%ymm15\n\tfldpi\n\t"
			 "movq 32(%[in]), %%r12\n\tmovq $13, %%r13\n\tmovq $14, %%r14\n\tmovq $15, %%r15\n\t"
			 "movl $426, %%eax\n\tmovslq %[fd], %%rdi\n\txorl %%esi, %%esi\n\txorl %%edx, %%edx\n\t"
			 "xorl %%r10d, %%r10d\n\txorl %%r8d, %%r8d\n\txorl %%r9d, %%r9d\n\tstc\n\tsyscall\n\t"
			 "setc %[carry]\n\tfstpl %[pi]\n\tvmovdqu %%ymm1, 64(%[in])\n\tvmovdqu %%ymm15, 96(%[in])\n\t"
			 "movq %%r12, 128(%[in])\n\tmovq %%r13, 136(%[in])\n\tmovq %%r14, 144(%[in])\n\tmovq %%r15, 152(%[in])"
			 : [carry] "=m"(carry), [pi] "=m"(pi)
			 : [in] "b"(v), [fd] "m"(fd)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm1", "xmm15",
			   "st", "cc", "memory");
	MUST(carry == 1 && pi > 3.14 && pi < 3.15);
	MUST(!memcmp(v, v + 8, 64) && v[16] == v[4] && v[17] == 13 && v[18] == 14 && v[19] == 15);
}
#endif

static void mask_is_kept(int fd)
{
	sigset_t mask, now;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	MUST(sigprocmask(SIG_SETMASK, &mask, NULL) == 0 && asm_enter(fd) == 0);
	MUST(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && !memcmp(&mask, &now, 8));
}

static void on_nothing(int sig)
{
	(void)sig;
}

/* What a system call leaves alone, before and after there are handlers that have to be kept away. */
static void registers_are_kept(void)
{
	int fd = asm_ring();

	for (long i = 0; i < 2000; i++) {
#ifdef __x86_64__
		arguments_are_kept(fd, i);
		if (__builtin_cpu_supports("avx"))
			others_are_kept(fd, i);
#endif
		mask_is_kept(fd);
		if (i == 1000)
			MUST(signal(SIGUSR2, on_nothing) == SIG_DFL);
	}
}

static void maps_by_assembler(void)
{
	int fd = asm_ring(), mem = memfd_create("other", MFD_CLOEXEC);
	const long rw = PROT_READ | PROT_WRITE;
	long a = rd_raw(SYS_mmap, 0, 4096, rw, MAP_SHARED | MAP_POPULATE, fd, 0);
	long b = rd_raw(SYS_mmap, 0, 4096, rw, MAP_SHARED, fd, 0x8000000);
	long c = rd_raw(SYS_mmap, 0, 512, rw, MAP_SHARED, fd, 0x10000000), d;
	char byte = 0;

	MUST(a > 0 && b > 0 && c > 0);
	*(volatile char *)c = 1;
	/* files at the same offsets are what they were */
	MUST(ftruncate(mem, 0x10002000) == 0);
	d = rd_raw(SYS_mmap, 0, 4096, rw, MAP_SHARED, mem, 0x10000000);
	MUST(d > 0);
	*(volatile char *)d = 'x';
	MUST(pread(mem, &byte, 1, 0x10000000) == 1 && byte == 'x');
	MUST(rd_raw(SYS_mmap, 0, 4096, rw, MAP_SHARED, 999, 0) == -EBADF);
	MUST(mmap(NULL, 4096, (int)rw, MAP_SHARED, mem, 0) != MAP_FAILED);
	MUST(mmap(NULL, 4096, (int)rw, MAP_SHARED, fd, 0) != MAP_FAILED);
	MUST(syscall(SYS_mmap, NULL, 4096, rw, MAP_PRIVATE, mem, 4096) != -1);
	MUST(syscall(SYS_mmap, NULL, 4096, rw, MAP_SHARED, fd, 0) != -1);
}

static void *enters(void *arg)
{
	pthread_barrier_t *go = arg;

	pthread_barrier_wait(go);	/* it is older than the ring and the filter of mappings */
	pthread_barrier_wait(go);
	for (int i = 0; i < 2000; i++)
		MUST(asm_enter(ring) == 0 && syscall(ENTER, ring, 0, 0, 0, NULL, 0) == 0);
	MUST(rd_raw(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0) > 0);
	return NULL;
}

static void from_threads(void)
{
	pthread_barrier_t go;
	pthread_t t[4];

	pthread_barrier_init(&go, NULL, 5);
	for (int i = 0; i < 4; i++)
		MUST(pthread_create(&t[i], NULL, enters, &go) == 0);
	pthread_barrier_wait(&go);
	asm_ring();
	pthread_barrier_wait(&go);
	for (int i = 0; i < 4; i++)
		MUST(pthread_join(t[i], NULL) == 0);
}

static void *enters_blocked(void *arg)
{
	sigset_t now;

	(void)arg;
	MUST(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGSYS) == 1);
	MUST(asm_enter(ring) == 0);
	return NULL;
}

static void with_all_blocked(void)
{
	uint64_t bits = ~(uint64_t)0, old = 0;
	sigset_t all, none, now;
	pthread_t t;

	asm_ring();
	sigfillset(&all);
	sigemptyset(&none);
	MUST(sigprocmask(SIG_SETMASK, &all, &now) == 0 && sigismember(&now, SIGSYS) == 0);
	MUST(asm_enter(ring) == 0);
	MUST(sigprocmask(SIG_BLOCK, &none, &now) == 0 && sigismember(&now, SIGSYS) == 1);
	MUST(pthread_create(&t, NULL, enters_blocked, NULL) == 0 && pthread_join(t, NULL) == 0);
	MUST(pthread_sigmask(SIG_SETMASK, &none, &now) == 0 && sigismember(&now, SIGSYS) == 1);
	MUST(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGSYS) == 0);
	MUST(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &bits, &old, 8) == 0 && !(old >> (SIGSYS - 1) & 1));
	MUST(asm_enter(ring) == 0);
	MUST(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, &bits, 8) == 0 && (bits >> (SIGSYS - 1) & 1));
	MUST(syscall(SYS_rt_sigprocmask, 99, &old, NULL, 8) == -1 && errno == EINVAL);
	MUST(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8L, NULL, 8) == -1 && errno == EFAULT);
	MUST(sighold(SIGSYS) == 0 && sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGSYS) == 1);
	MUST(asm_enter(ring) == 0);
	MUST(sigrelse(SIGSYS) == 0 && sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGSYS) == 0);
}

static volatile sig_atomic_t ran, ran_well;

static void on_signal(int sig)
{
	int saved = errno;

	(void)sig;
	ran++;
	ran_well += asm_enter(ring) == 0 && syscall(ENTER, ring, 0, 0, 0, NULL, 0) == 0;
	errno = saved;
}

static void handle(int sig)
{
	struct sigaction act = { .sa_handler = on_signal }, old;

	sigfillset(&act.sa_mask);
	MUST(sigaction(sig, &act, NULL) == 0);
	MUST(sigaction(sig, NULL, &old) == 0 && old.sa_handler == on_signal && sigismember(&old.sa_mask, SIGSYS) == 1);
}

/* While the handler may make the calls, whatever it waits with. */
static void in_handlers(void)
{
	struct timespec none = { 0 };
	struct epoll_event ev;
	sigset_t all, mask;
	int n = 0, epfd = epoll_create1(EPOLL_CLOEXEC);

	asm_ring();
	handle(SIGUSR1);
	raise(SIGUSR1);
	MUST(ran == ++n && ran_well == n);
	sigfillset(&all);
	sigfillset(&mask);
	sigdelset(&mask, SIGUSR1);
	sigprocmask(SIG_SETMASK, &all, NULL);
	raise(SIGUSR1);
	MUST(ran == n);
	MUST(ppoll(NULL, 0, NULL, &mask) == -1 && errno == EINTR && ran == ++n && ran_well == n);
	raise(SIGUSR1);
	MUST(pselect(0, NULL, NULL, NULL, NULL, &mask) == -1 && errno == EINTR && ran == ++n && ran_well == n);
	raise(SIGUSR1);
	MUST(epoll_pwait(epfd, &ev, 1, -1, &mask) == -1 && errno == EINTR && ran == ++n && ran_well == n);
	raise(SIGUSR1);
	MUST(sigsuspend(&mask) == -1 && errno == EINTR && ran == ++n && ran_well == n);
	MUST(ppoll(NULL, 0, &none, &mask) == 0);
	raise(SIGUSR1);
	MUST(sigwaitinfo(&all, NULL) == SIGUSR1 && ran == n);
}

static volatile bool stop;

static void *kills(void *arg)
{
	while (!stop) {
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

static void a_signal_ends_a_wait(void)
{
	struct fake_local *fake = dlsym(RTLD_DEFAULT, "fake_local");
	pthread_t t, me = pthread_self();

	asm_ring();
	if (fake)
		fake->sleeps = open("/dev/null", O_WRONLY | O_CLOEXEC);
	handle(SIGUSR1);
	MUST(pthread_create(&t, NULL, kills, &me) == 0);
	for (int i = 0; i < 20; i++)
		MUST(rd_raw(ENTER, ring, 0, 1, GETEVENTS, 0, 0) == -EINTR);
	stop = true;
	MUST(pthread_join(t, NULL) == 0 && ran > 0 && ran_well == ran);
}

/* In the middle of calls of the same thread: they are as one instruction to a handler. */
static void handlers_storm(void)
{
	pthread_t t, me = pthread_self();

	asm_ring();
	handle(SIGUSR1);
	MUST(pthread_create(&t, NULL, kills, &me) == 0);
	for (int i = 0; i < 3000 || ran < 200; i++) {
		int so_far = ran;

		MUST(asm_enter(ring) == 0);
		MUST(syscall(ENTER, ring, 0, 0, GETEVENTS, NULL, 0) == 0);
		MUST(ran_well >= so_far);
	}
	stop = true;
	MUST(pthread_join(t, NULL) == 0);
}

/* --- its own SIGSYS --- */

static volatile sig_atomic_t sys_code = -99, sys_nr;

static void on_sys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	sys_code = info->si_code;
	sys_nr = info->si_syscall;
	ran++;
}

static void sys_of_its_own(void)
{
	struct sigaction act = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO }, old;
	sigset_t set, pending;
	int sig;

	asm_ring();
	MUST(sigaction(SIGSYS, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
	MUST(sigaction(SIGSYS, &act, NULL) == 0);
	MUST(sigaction(SIGSYS, NULL, &old) == 0 && old.sa_sigaction == on_sys && old.sa_flags == SA_SIGINFO);
	MUST(asm_enter(ring) == 0 && ran == 0);
	MUST(kill(getpid(), SIGSYS) == 0 && ran == 1 && sys_code == SI_USER);
	/* blocked, then not */
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGSYS);
	MUST(ran == 1 && sigpending(&pending) == 0 && sigismember(&pending, SIGSYS) == 1);
	MUST(asm_enter(ring) == 0 && ran == 1);
	MUST(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && ran == 2);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGSYS);
	MUST(sigwait(&set, &sig) == 0 && sig == SIGSYS && ran == 2);
	MUST(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && ran == 2);
	/* ignored */
	MUST(signal(SIGSYS, SIG_IGN) == (sighandler_t)(void *)on_sys);
	raise(SIGSYS);
	MUST(asm_enter(ring) == 0 && ran == 2);
	MUST(signal(SIGSYS, SIG_DFL) == SIG_IGN);
	MUST(asm_enter(ring) == 0);
}

/* A filter of its own that traps something else. */
static void a_sandbox_of_its_own(void)
{
	struct sigaction act = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO | SA_RESETHAND };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpriority, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | 7),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, code };

	MUST(sigaction(SIGSYS, &act, NULL) == 0);
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	rd_raw(SYS_setpriority, 0, 0, 0, 0, 0, 0);
	MUST(ran == 1 && sys_code == 1 && sys_nr == SYS_setpriority);
	asm_ring();
	MUST(asm_enter(ring) == 0 && ran == 1);
	MUST(sigaction(SIGSYS, NULL, &act) == 0 && act.sa_handler == SIG_DFL);
}

static void killed_by_sys(void)
{
	raise(SIGSYS);
	_exit(0);
}

/* --- other processes --- */

static void ended_well(pid_t pid)
{
	int status = -1;

	MUST(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static void after_fork(void)
{
	pid_t pid;

	asm_ring();
	pid = fork();
	if (!pid) {
		by_assembler();
		by_syscall();
		_exit(0);
	}
	ended_well(pid);
	MUST(asm_enter(ring) == 0);
}

static void after_exec(void)
{
	char *const argv[] = { (char *)self, (char *)"by_assembler", NULL }, *const none[] = { NULL };
	char *const unlike[] = { (char *)"A=b", (char *)"LD_PRELOAD=", NULL }, *command;
	pid_t pid;

	asm_ring();
	for (int way = 0; way < 9; way++) {
		pid = vfork();
		if (!pid) {
			switch (way) {
			case 0: execve(self, argv, none); break;
			case 1: execv(self, argv); break;
			case 2: execvpe(self, argv, unlike); break;
			case 3: execle(self, self, "by_assembler", NULL, none); break;
			case 4: execl(self, self, "by_syscall", NULL); break;
			case 5: fexecve(open(self, O_RDONLY | O_CLOEXEC), argv, none); break;
			case 6: execveat(AT_FDCWD, self, argv, none, 0); break;
			case 7: execlp(self, self, "by_assembler", NULL); break;
			default: execvp(self, argv); break;
			}
			_exit(3);
		}
		ended_well(pid);
	}
	MUST(posix_spawn(&pid, self, NULL, NULL, argv, none) == 0);
	ended_well(pid);
	MUST(posix_spawnp(&pid, self, NULL, NULL, argv, unlike) == 0);
	ended_well(pid);
	MUST(clearenv() == 0);
	MUST(asprintf(&command, "%s by_assembler", self) > 0);
	MUST(system(command) == 0);
	MUST(pclose(popen(command, "r")) == 0);
	ended_well(posix_spawn(&pid, self, NULL, NULL, argv, NULL) == 0 ? pid : -1);
}

static long filters(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	long n = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Seccomp_filters: %ld", &n) == 1)
			break;
	MUST(f && fclose(f) == 0);
	return n;
}

/* door_prog exec_again ROUNDS FILTERS: a chain of programs does not pile filters up. */
static void exec_again(int rounds, long before)
{
	char left[16], count[32], *argv[] = { (char *)self, (char *)"exec_again", left, count, NULL };
	long now;

	asm_ring();
	now = filters();
	MUST(before < 0 || now == before);
	if (!rounds)
		return;
	snprintf(left, sizeof(left), "%d", rounds - 1);
	snprintf(count, sizeof(count), "%ld", now);
	execv(self, argv);
	MUST(!"execv");
}

/* door_prog starts PROGRAM: exit as it does, 100 + errno if it was not started. */
static void starts(const char *program)
{
	char *argv[] = { (char *)program, NULL };
	int status = -1;
	pid_t pid;

	asm_ring();
	pid = fork();
	if (!pid) {
		execvp(program, argv);
		_exit(100 + errno);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status));
	_exit(WEXITSTATUS(status));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "by_syscall", by_syscall },		{ "by_assembler", by_assembler },
	{ "registers", registers_are_kept },	{ "maps", maps_by_assembler },
	{ "threads", from_threads },		{ "blocked", with_all_blocked },
	{ "handlers", in_handlers },		{ "interrupted", a_signal_ends_a_wait },
	{ "own_sigsys", sys_of_its_own },	{ "sandbox", a_sandbox_of_its_own },
	{ "killed", killed_by_sys },		{ "fork", after_fork },
	{ "exec", after_exec },			{ "storm", handlers_storm },
};

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	self = realpath("/proc/self/exe", NULL);
	MUST(self);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!strcmp(argv[1], cases[i].name)) {
			cases[i].run();
			return 0;
		}
	if (!strcmp(argv[1], "exec_again") && argc > 3) {
		exec_again(atoi(argv[2]), atol(argv[3]));
		return 0;
	}
	if (!strcmp(argv[1], "starts") && argc > 2)
		starts(argv[2]);
	return 2;
}
