// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run the program after "--" and wait for it.
 *
 * ccshmctl keeps running, so that its objects end when the program ends, even if the program closes
 * the inherited file descriptors (as sudo does). Pass on the signals that the program did not
 * receive itself. Of signals that a process sent, ccshmctl cannot determine this: siginfo_t does not
 * distinguish kill(pid) from kill(-group), so the program gets those of a group twice. In a group of its
 * own, the program would not be in the foreground of its terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ccshmctl.h"

static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
};

static void (*original_sigpipe)(int) = SIG_DFL;

void ignore_sigpipe(void)
{
	original_sigpipe = signal(SIGPIPE, SIG_IGN);
}

void restore_sigpipe(void)
{
	signal(SIGPIPE, original_sigpipe);
}

void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

void run_setenv(struct run *run, const char *name, const char *format, ...)
{
	char *env = run->env[run->nenv];
	size_t len = sizeof(run->env[0]);
	va_list ap;
	int n;

	if (run->nenv == 2 * RUN_MAX)
		abort();
	n = snprintf(env, len, "%s=", name);
	va_start(ap, format);
	n += vsnprintf(env + n, len - (size_t)n, format, ap);
	va_end(ap);
	if ((size_t)n >= len)
		abort();
	run->nenv++;
}

void run_pass_fd(struct run *run, const char *name, int fd)
{
	if (run->nfds == RUN_MAX)
		abort();
	run->fds[run->nfds++] = fd;
	run_setenv(run, name, "%d", fd);
}

/* Execute the program in the child. */
static void __attribute__((noreturn)) become(const struct run *run,
					     const sigset_t *mask)
{
	int i, err;

	for (i = 0; i < run->nfds; i++) {
		if (fcntl(run->fds[i], F_SETFD, 0))
			_exit(EXIT_CANNOT_EXEC);
	}
	for (i = 0; i < run->nenv; i++) {
		if (putenv((char *)run->env[i]))
			_exit(EXIT_CANNOT_EXEC);
	}
	signal(SIGPIPE, original_sigpipe);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(run->argv[0], run->argv);
	err = errno;
	complain("cannot run %s: %s", run->argv[0], strerror(err));
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC);
}

/* Check whether @info describes a signal that the program @pid may not have received. */
static bool is_for_us_only(const siginfo_t *info, pid_t pid)
{
	if (info->si_code != SI_KERNEL)
		return info->si_pid != pid;
	/*
	 * The terminal sends a key's signal to the foreground process group. It sends a hangup to
	 * the session leader only (tty_signal_session_leader() in the kernel).
	 */
	return info->si_signo == SIGHUP || getpgid(pid) != getpgrp();
}

static int wait_for(pid_t pid, const sigset_t *signals)
{
	siginfo_t info;
	int sig, status;

	for (;;) {
		sig = sigwaitinfo(signals, &info);
		if (sig == SIGCHLD) {
			if (waitpid(pid, &status, WNOHANG) != pid)
				continue;
			if (WIFEXITED(status))
				return WEXITSTATUS(status);
			return EXIT_SIGNAL + WTERMSIG(status);
		}
		if (sig > 0 && is_for_us_only(&info, pid))
			kill(pid, sig);
	}
}

int run_command(const struct run *run)
{
	sigset_t signals, old;
	size_t i;
	pid_t pid;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	for (i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&signals, passed_on[i]);
	/* With an ignored SIGCHLD, waitpid() would not return the status of the child. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &signals, &old);

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(run, &old);
	if (pid < 0) {
		complain("cannot start %s: %s", run->argv[0], strerror(errno));
		sigprocmask(SIG_SETMASK, &old, NULL);
		return EXIT_FAILED;
	}
	return wait_for(pid, &signals);
}
