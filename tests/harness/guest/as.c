// SPDX-License-Identifier: GPL-2.0-only
/*
 * as USER [+CAPABILITY]... COMMAND...: run a command as another user, in the user's
 * groups, with exactly the named capabilities. A capability is a name or a number
 * (as alice +sys_rawio ccshmctl attach ...).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	int cap;
} names[] = {
	{ "chown", CAP_CHOWN },
	{ "dac_override", CAP_DAC_OVERRIDE },
	{ "ipc_lock", CAP_IPC_LOCK },
	{ "kill", CAP_KILL },
	{ "net_admin", CAP_NET_ADMIN },
	{ "setgid", CAP_SETGID },
	{ "setuid", CAP_SETUID },
	{ "sys_admin", CAP_SYS_ADMIN },
	{ "sys_module", CAP_SYS_MODULE },
	{ "sys_ptrace", CAP_SYS_PTRACE },
	{ "sys_rawio", CAP_SYS_RAWIO },
	{ "sys_resource", CAP_SYS_RESOURCE },
};

static void fail(const char *what)
{
	fprintf(stderr, "as: %s: %s\n", what, strerror(errno));
	exit(125);
}

static int cap_number(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(s, names[i].name))
			return names[i].cap;
	if (*s && !*end && n >= 0 && n <= 63)
		return n;
	errno = EINVAL;
	fail(s);
	return -1;
}

/* Set exactly these capabilities, also as ambient ones, which execve() keeps. */
static void set_caps(unsigned long long caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = caps >> (32 * i);
		data[i].permitted = data[i].effective;
		data[i].inheritable = data[i].effective;
	}
	if (syscall(SYS_capset, &head, data))
		fail("capset");
	for (int i = 0; i < 64; i++)
		if (caps >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			fail("ambient capability");
}

int main(int argc, char **argv)
{
	unsigned long long caps = 0;
	struct passwd *pw;
	int i = 2;

	for (; i < argc && argv[i][0] == '+'; i++)
		caps |= 1ULL << cap_number(argv[i] + 1);
	if (i >= argc) {
		fputs("usage: as USER [+CAPABILITY]... COMMAND...\n", stderr);
		return 125;
	}
	pw = getpwnam(argv[1]);
	if (!pw) {
		fprintf(stderr, "as: no user %s\n", argv[1]);
		return 125;
	}
	if (initgroups(pw->pw_name, pw->pw_gid) || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid))
		fail("groups");
	prctl(PR_SET_KEEPCAPS, 1);
	if (setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid))
		fail("setresuid");
	set_caps(caps);
	setenv("HOME", pw->pw_dir, 1);
	setenv("USER", pw->pw_name, 1);
	setenv("LOGNAME", pw->pw_name, 1);
	execvp(argv[i], argv + i);
	fprintf(stderr, "as: %s: %s\n", argv[i], strerror(errno));
	return 127;
}
