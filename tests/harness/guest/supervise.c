// SPDX-License-Identifier: GPL-2.0-only
/*
 * supervise NAME SECONDS COMMAND...: run one suite in the guest.
 *
 * Print each line of the suite with the prefix "|", which distinguishes the output of
 * the suite from lines of the harness. When the suite ends or its time limit expires,
 * kill all processes that the suite has started. Then print how the suite ended and how
 * many processes were killed:
 *   @end NAME exit N|signal N|timeout|stuck LEFTOVERS
 * Write a marker to the kernel log before and after the suite. Exit with status 0 unless
 * a process could not be killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Rounds of 10 ms: a clock would also count the time in which a busy host does not run the guest. */
#define KILL_ROUNDS 3000

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "supervise: %s: %s\n", path, strerror(errno));
	close(fd);
}

static void mark(const char *what, const char *name)
{
	char text[160];

	snprintf(text, sizeof(text), "<5>ccshm-vm: %s %s\n", what, name);
	write_file("/dev/kmsg", text);
}

/* Print the available lines of the pipe. Return 0 if nothing could be read. */
static int forward(int fd, int last)
{
	static char line[8192];
	static size_t len;
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] != '\n' && len < sizeof(line)) {
			line[len++] = buf[i];
			continue;
		}
		printf("|%.*s\n", (int)len, line);
		len = 0;
		if (buf[i] != '\n')
			line[len++] = buf[i];
	}
	if (n <= 0 && last && len) {
		printf("|%.*s\n", (int)len, line);
		len = 0;
	}
	fflush(stdout);
	return n > 0;
}

static pid_t start(char **argv, int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	dup2(out, 1);
	dup2(out, 2);
	close(0);
	open("/dev/null", O_RDONLY);
	execvp(argv[0], argv);
	fprintf(stderr, "Bail out! cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Kill all child processes; a subreaper also becomes the parent of orphans. Return their number. */
static int kill_children(void)
{
	char path[64];
	int n = 0;
	long pid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fscanf(f, "%ld", &pid) == 1) {
		kill(pid, SIGKILL);
		n++;
	}
	fclose(f);
	return n;
}

/* Kill until no child process is left. Return the number of killed processes, -1 after a timeout. */
static int sweep(int out)
{
	int killed = 0;

	for (int round = 0;; round++) {
		int n;

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		n = kill_children();
		if (n > killed)
			killed = n;
		while (forward(out, 0))
			;
		if (!n)
			return killed;
		if (round == KILL_ROUNDS)
			return -1;
		usleep(10000);
	}
}

int main(int argc, char **argv)
{
	const char *name = argv[1];
	char how[64] = "timeout";
	int status, left, p[2];
	long long end;
	pid_t pid;

	if (argc < 4)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe2(p, O_CLOEXEC)) {
		perror("supervise: pipe");
		return 2;
	}
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	mark("begin", name);
	printf("@begin %s\n", name);
	fflush(stdout);
	end = now_ms() + atoi(argv[2]) * 1000LL;
	pid = start(argv + 3, p[1]);
	close(p[1]);

	while (now_ms() < end) {
		struct pollfd pfd = { .fd = p[0], .events = POLLIN };

		/* A closed pipe is always readable: do not spin. */
		if (poll(&pfd, 1, 50) > 0 && !forward(p[0], 0))
			usleep(20000);
		if (waitpid(pid, &status, WNOHANG) != pid)
			continue;
		if (WIFEXITED(status))
			snprintf(how, sizeof(how), "exit %d", WEXITSTATUS(status));
		else
			snprintf(how, sizeof(how), "signal %d", WTERMSIG(status));
		break;
	}

	left = sweep(p[0]);
	if (left < 0) {
		/* Log the stacks of blocked tasks. */
		write_file("/proc/sysrq-trigger", "w");
		snprintf(how, sizeof(how), "stuck");
	}
	while (forward(p[0], 1))
		;
	mark("end", name);
	printf("@end %s %s %d\n", name, how, left);
	fflush(stdout);
	return left < 0;
}
