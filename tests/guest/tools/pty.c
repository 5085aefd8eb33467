// SPDX-License-Identifier: GPL-2.0-only
/*
 * pty [-c MILLISECONDS] [-o FILE] COMMAND...: run a command on a new pseudoterminal.
 *
 * A shell without job control starts background commands with SIGINT ignored. A suite therefore
 * presses Ctrl-C with this program: -c writes the character after the given time. The output of the
 * terminal goes to stdout; -o redirects the command's stdout to a file, as "command > file" on a
 * terminal does. The exit status is that of the command, 128 + N after signal N, or 124 if the
 * command has not ended after two minutes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS	120000

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void __attribute__((noreturn)) become(char **argv, const char *out)
{
	int fd;

	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	if (out) {
		fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			_exit(126);
	}
	execvp(argv[0], argv);
	fprintf(stderr, "pty: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/*
 * Copy the terminal's output to stdout until no process has the terminal open. Return false if the
 * time is over before that.
 */
static int follow(int master, long begin, long press)
{
	struct pollfd pfd = { .fd = master, .events = POLLIN };
	char text[4096];
	ssize_t n;

	while (now_ms() - begin < LIMIT_MS) {
		if (press >= 0 && now_ms() - begin >= press) {
			press = -1;
			if (write(master, "\003", 1) != 1)
				return 0;
		}
		if (poll(&pfd, 1, 2) <= 0)
			continue;
		n = read(master, text, sizeof(text));
		if (n <= 0)
			return 1;
		if (fwrite(text, 1, (size_t)n, stdout) != (size_t)n)
			return 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *out = NULL;
	long begin, press = -1;
	int opt, master, status;
	pid_t pid;

	while ((opt = getopt(argc, argv, "+c:o:")) != -1) {
		if (opt == 'c')
			press = atol(optarg);
		else if (opt == 'o')
			out = optarg;
		else
			return 125;
	}
	if (optind == argc)
		return 125;
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid < 0) {
		perror("pty: forkpty");
		return 125;
	}
	if (!pid)
		become(argv + optind, out);
	begin = now_ms();
	if (!follow(master, begin, press)) {
		kill(pid, SIGKILL);
		return 124;
	}
	fflush(stdout);
	if (waitpid(pid, &status, 0) != pid)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
