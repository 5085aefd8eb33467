// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's log, if this user may read it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define RECORD_MAX	8192		/* larger than any record of /dev/kmsg */
#define LOG_MAX		(16U << 20)	/* larger than any log buffer of a kernel */

/* Append the records that exist now, without waiting for more. */
static int read_log(int fd, FILE *out)
{
	char record[RECORD_MAX];
	size_t total = 0;
	ssize_t n;

	while (total < LOG_MAX) {
		n = read(fd, record, sizeof(record));
		/* EPIPE: the kernel overwrote records that were not read yet. */
		if (n < 0 && (errno == EINTR || errno == EPIPE))
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break;
		fwrite(record, 1, (size_t)n, out);
		total += (size_t)n;
	}
	return 0;
}

static bool has_any(const char *message, const char *const *texts)
{
	for (; *texts; texts++)
		if (strstr(message, *texts))
			return true;
	return false;
}

/* A record is "6,339,5140900,-;MESSAGE". Lines that begin with a space continue it. */
static void search(char *log, const char *const *texts, char *line, size_t len)
{
	char *record, *message, *save = NULL;

	for (record = strtok_r(log, "\n", &save); record; record = strtok_r(NULL, "\n", &save)) {
		message = *record == ' ' ? NULL : strchr(record, ';');
		if (message && has_any(message + 1, texts))
			snprintf(line, len, "%s", message + 1);
	}
}

int kernel_log_last(const char *const *texts, char *line, size_t len)
{
	char path[SYSTEM_PATH_LEN], *log = NULL;
	size_t size = 0;
	FILE *out;
	int fd, err;

	*line = '\0';
	system_path(path, "/dev/kmsg");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	out = or_die(open_memstream(&log, &size));
	err = read_log(fd, out);
	close(fd);
	if (fclose(out) || err) {
		free(log);
		return err ? err : -ENOMEM;
	}
	search(log, texts, line, len);
	free(log);
	return *line ? 0 : -ENOENT;
}
