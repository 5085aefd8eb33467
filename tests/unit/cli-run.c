// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli-run.h"

#define ARGS	16

struct cli_result cli;
struct ccshm_seam cli_seam;
const char *cli_input, *cli_stdout, *cli_keys;
bool cli_terminal;
bool cli_ignores_sigchld;
int cli_real_fd, cli_real_fd2;

/* For an empty table of options, glibc's argp allocates an object of zero bytes and loses it. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:argp-help.c\nleak:argp_hol\n";
}

const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}

/* Open the fake driver when ccshmctl opens the driver. */
int __wrap_ccshm_open(uint64_t flags, struct ccshm **handle);

int __wrap_ccshm_open(uint64_t flags, struct ccshm **handle)
{
	return ccshm_open_seam(&cli_seam, flags, handle);
}

/* Use the fake netlink family. */
int __wrap_ccshm_list_get(uint32_t type, struct ccshm_list **list);
int __wrap_ccshm_stats_get(struct ccshm_stats **stats);
int __wrap_ccshm_events_open(struct ccshm_events **events);

int __wrap_ccshm_list_get(uint32_t type, struct ccshm_list **list)
{
	return ccshm_list_get_seam(&cli_seam, type, list);
}

int __wrap_ccshm_stats_get(struct ccshm_stats **stats)
{
	return ccshm_stats_get_seam(&cli_seam, stats);
}

int __wrap_ccshm_events_open(struct ccshm_events **events)
{
	return ccshm_events_open_seam(&cli_seam, events);
}

void cli_reset(void)
{
	cli_seam = fake_seam;
	cli_input = NULL;
	cli_stdout = NULL;
	cli_terminal = false;
	cli_ignores_sigchld = false;
	cli_keys = NULL;
	cli_real_fd = 0;
	cli_real_fd2 = 0;
}

static int temporary(void)
{
	int fd = memfd_create("ccshm-unit", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void slurp(int fd, char text[CLI_TEXT])
{
	ssize_t n;

	n = pread(fd, text, CLI_TEXT - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
}

/* Send the keys, and read the output until the program ends or the terminal hangs up. */
static void use_terminal(int fd, char text[CLI_TEXT])
{
	size_t len = 0;
	ssize_t n;

	if (cli_keys) {
		n = read(fd, text, CLI_TEXT - 1);
		ck_assert_int_gt(n, 0);
		len = (size_t)n;
		n = (ssize_t)strlen(cli_keys);
		ck_assert_int_eq(write(fd, cli_keys, (size_t)n), n);
	}
	/* At the end of a terminal, read() fails with EIO. */
	while ((!cli_keys || *cli_keys) && len < CLI_TEXT - 1 &&
	       (n = read(fd, text + len, CLI_TEXT - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

static void note_state(struct cli_result *after)
{
	after->buffers = fake_objects(CCSHM_TYPE_BUFFER);
	after->exports = fake_objects(CCSHM_TYPE_EXPORT);
	after->attachments = fake_objects(CCSHM_TYPE_ATTACHMENT);
	after->files = fake_files();
	after->mappings = fake_mappings();
}

static bool in_child;

/*
 * Turn the leak check off in child processes: it stops all threads of a process, which
 * fails now and then on a busy machine and ends the child. The leak check of the test
 * program itself stays on.
 */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return in_child;
}

static void __attribute__((noreturn)) child(int argc, char **argv, int in, int out,
					    int err, struct cli_result *after)
{
	int code;

	in_child = true;
	/* Check installs signal handlers. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, cli_ignores_sigchld ? SIG_IGN : SIG_DFL);
	if (cli_keys && (setsid() < 0 || ioctl(err, TIOCSCTTY, 0)))
		_exit(255);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	if (cli_stdout && !*cli_stdout)
		close(1);
	if (cli_real_fd)
		dup2(in, cli_real_fd);
	if (cli_real_fd2)
		dup2(in, cli_real_fd2);
	code = ccshmctl_main(argc, argv);
	note_state(after);
	exit(code);
}

static int finish(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_output(void)
{
	int fd, ends[2];

	if (!cli_stdout || !*cli_stdout)
		return temporary();
	if (!strcmp(cli_stdout, CLI_BROKEN)) {
		ck_assert_int_eq(pipe(ends), 0);
		close(ends[0]);
		return ends[1];
	}
	fd = open(cli_stdout, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	return fd;
}

int cli_run(const char *arg, ...)
{
	struct cli_result *after;
	int in, out, err, master = -1, argc = 1;
	char *argv[ARGS], name[] = "ccshmctl";
	pid_t pid;
	va_list ap;

	argv[0] = name;
	va_start(ap, arg);
	for (; arg; arg = va_arg(ap, const char *)) {
		ck_assert_int_lt(argc, ARGS - 1);
		argv[argc++] = strdup(arg);
	}
	va_end(ap);
	argv[argc] = NULL;

	after = mmap(NULL, sizeof(*after), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(after, MAP_FAILED);
	in = temporary();
	if (cli_input)
		ck_assert_int_eq(pwrite(in, cli_input, strlen(cli_input), 0),
				 (ssize_t)strlen(cli_input));
	out = open_output();
	if (cli_terminal || cli_keys)
		ck_assert_int_eq(openpty(&master, &err, NULL, NULL, NULL), 0);
	else
		err = temporary();

	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (master >= 0)
			close(master);
		child(argc, argv, in, out, err, after);
	}
	if (master >= 0) {
		close(err);
		use_terminal(master, after->err);
		close(master);
	}
	after->code = finish(pid);
	cli = *after;
	if (!cli_stdout)
		slurp(out, cli.out);
	if (master < 0) {
		slurp(err, cli.err);
		close(err);
	}
	close(in);
	close(out);
	munmap(after, sizeof(*after));
	while (--argc)
		free(argv[argc]);
	return cli.code;
}

/* ------------------------------------------------------------------------- */
/* A strict JSON parser                                                      */
/* ------------------------------------------------------------------------- */

static const char *space(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* Each parser returns the text after its item, or NULL with *@bad set to the error's place. */
static const char *value(const char *s, const char **bad);

static const char *string(const char *s, const char **bad)
{
	int i;

	if (*s++ != '"')
		goto fail;
	for (; *s != '"'; s++) {
		if ((unsigned char)*s < 0x20)
			goto fail;
		if (*s != '\\')
			continue;
		s++;
		if (*s == 'u') {
			for (i = 0; i < 4; i++)
				if (!isxdigit((unsigned char)*++s))
					goto fail;
		} else if (!*s || !strchr("\"\\/bfnrt", *s)) {
			goto fail;
		}
	}
	return s + 1;
fail:
	*bad = s;
	return NULL;
}

static const char *digits(const char *s, const char **bad)
{
	if (!isdigit((unsigned char)*s)) {
		*bad = s;
		return NULL;
	}
	return s + strspn(s, "0123456789");
}

static const char *number(const char *s, const char **bad)
{
	if (*s == '-')
		s++;
	if (*s == '0')
		s++;
	else
		s = digits(s, bad);
	if (s && *s == '.')
		s = digits(s + 1, bad);
	if (s && (*s == 'e' || *s == 'E')) {
		s++;
		s = digits(s + (*s == '+' || *s == '-'), bad);
	}
	return s;
}

/* Parse the members of an object or array; @s is the text after the opening bracket. */
static const char *members(const char *s, bool object, const char **bad)
{
	char end = object ? '}' : ']';

	s = space(s);
	if (*s == end)
		return s + 1;
	for (;;) {
		if (object) {
			s = string(space(s), bad);
			if (!s)
				return NULL;
			s = space(s);
			if (*s++ != ':')
				break;
		}
		s = value(s, bad);
		if (!s)
			return NULL;
		s = space(s);
		if (*s == end)
			return s + 1;
		if (*s++ != ',')
			break;
	}
	*bad = s - 1;
	return NULL;
}

static const char *value(const char *s, const char **bad)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i;

	s = space(s);
	if (*s == '{' || *s == '[')
		return members(s + 1, *s == '{', bad);
	if (*s == '"')
		return string(s, bad);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(s, words[i], strlen(words[i])))
			return s + strlen(words[i]);
	return number(s, bad);
}

const char *json_error(const char *text)
{
	const char *bad = text, *end = value(text, &bad);

	if (!end)
		return bad;
	end = space(end);
	return *end ? end : NULL;
}
