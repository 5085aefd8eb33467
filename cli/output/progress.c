// SPDX-License-Identifier: GPL-2.0-only
/*
 * Show the progress of long operations on stderr, if that is a terminal.
 *
 * A thread prints the line, because one ioctl can take many seconds. It starts after half a second,
 * so that short operations print nothing. It blocks signals: Ctrl-C must reach the thread that is
 * in the ioctl.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ccshmctl.h"

#define DELAY_MS	500
#define PERIOD_MS	250

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running;
	bool stop;
	bool drawn;
	char *what;		/* as it is printed */
	uint64_t done, total;
	struct timespec begin;
} progress = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void add_ms(struct timespec *t, long ms)
{
	t->tv_nsec += ms * 1000000L;
	t->tv_sec += t->tv_nsec / 1000000000L;
	t->tv_nsec %= 1000000000L;
}

static void draw(void)
{
	char done[SIZE_TEXT_LEN], end[2 * SIZE_TEXT_LEN], *line;
	struct winsize window;
	struct timespec now;
	int len, end_len, room = INT_MAX;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (progress.total)
		snprintf(done, sizeof(done), " %3u%%",
			 (unsigned int)((double)progress.done * 100 /
					(double)progress.total));
	else
		done[0] = '\0';
	end_len = snprintf(end, sizeof(end), "...%s %ld s ", done,
			   (long)(now.tv_sec - progress.begin.tv_sec));
	/* Print one line only: "\r" and the clearing affect the last line. */
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &window) && window.ws_col)
		room = window.ws_col > end_len ? window.ws_col - end_len : 0;
	len = asprintf(&line, "\r%.*s%s", text_fitting(progress.what, (size_t)room),
		       progress.what, end);
	if (len < 0)
		return;
	if (write(STDERR_FILENO, line, (size_t)len) == len)
		progress.drawn = true;
	free(line);
}

static void *draw_until_stopped(void *unused)
{
	struct timespec next = progress.begin;

	(void)unused;
	pthread_mutex_lock(&progress.lock);
	add_ms(&next, DELAY_MS);
	while (!progress.stop) {
		if (pthread_cond_timedwait(&progress.wake, &progress.lock,
					   &next) != ETIMEDOUT)
			continue;
		draw();
		add_ms(&next, PERIOD_MS);
	}
	pthread_mutex_unlock(&progress.lock);
	return NULL;
}

void progress_start(uint64_t total, const char *format, ...)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	char *what = NULL;
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, format);
	if (vasprintf(&what, format, ap) < 0)
		what = NULL;
	va_end(ap);
	progress.what = text_shown(or_die(what));
	free(what);
	progress.done = 0;
	progress.total = total;
	progress.stop = false;
	progress.drawn = false;
	clock_gettime(CLOCK_MONOTONIC, &progress.begin);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&progress.wake, &attr);
	pthread_condattr_destroy(&attr);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	/* Without a thread the operation continues without a progress line. */
	progress.running = !pthread_create(&progress.thread, NULL,
					   draw_until_stopped, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!progress.running)
		free(progress.what);
}

void progress_set(uint64_t done)
{
	if (!progress.running)
		return;
	pthread_mutex_lock(&progress.lock);
	progress.done = done;
	pthread_mutex_unlock(&progress.lock);
}

void progress_stop(void)
{
	static const char clear[] = "\r\033[K";

	if (!progress.running)
		return;
	pthread_mutex_lock(&progress.lock);
	progress.stop = true;
	pthread_cond_signal(&progress.wake);
	pthread_mutex_unlock(&progress.lock);
	pthread_join(progress.thread, NULL);
	pthread_cond_destroy(&progress.wake);
	progress.running = false;
	free(progress.what);
	if (progress.drawn && write(STDERR_FILENO, clear, sizeof(clear) - 1) < 0)
		return;
}
