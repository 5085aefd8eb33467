// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals while a call creates a persistent object. If the process died of the signal at once, an
 * object could remain whose id was never printed. Record the signal instead, let it interrupt the
 * call, undo the call, and die of the signal then.
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
		/* Keep the signals ignored that nohup ignores. */
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
