// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ctrl-C while something is being made that would stay. Dying of the signal at
 * once could leave it behind with nobody knowing its id; so the signal is noted,
 * the call that makes it is interrupted or undone, and then we die of it.
 */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "ccshmctl.h"

static const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

static volatile sig_atomic_t noted;

static void note(int sig)
{
	noted = sig;
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = note }, old;

	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		/* nohup means it. */
		if (!sigaction(deadly[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(deadly[i], &action, NULL);
	}
}

bool interrupt_noted(void)
{
	return noted;
}

void interrupt_die(void)
{
	sigset_t set;

	signal(noted, SIG_DFL);
	raise(noted);
	sigemptyset(&set);
	sigaddset(&set, noted);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + noted);
}
