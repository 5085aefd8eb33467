// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapper: an example of a program that receives a dma-buf. Map the dma-buf, print the text at
 * its start, and read its first byte repeatedly until the access raises SIGBUS.
 *
 * Exit with status 0 on SIGBUS, or 1 if there is none within a minute.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PERIOD_US	20000
#define TOUCHES		3000

static void on_sigbus(int sig)
{
	static const char text[] = "mapper: SIGBUS: the memory is gone\n";

	(void)sig;
	_exit(write(STDOUT_FILENO, text, sizeof(text) - 1) < 0);
}

int main(void)
{
	const char *fd = getenv("CCSHM_DMABUF_FD");
	const char *size = getenv("CCSHM_DMABUF_SIZE");
	volatile char *memory;
	char begin[64] = "";
	size_t i;

	if (!fd || !size) {
		fputs("mapper: run me with ccshmctl export BUFFER -- mapper\n", stderr);
		return 2;
	}
	memory = mmap(NULL, strtoull(size, NULL, 10), PROT_READ, MAP_SHARED,
		      atoi(fd), 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "mapper: cannot map the dma-buf: %s\n", strerror(errno));
		return 1;
	}
	signal(SIGBUS, on_sigbus);
	for (i = 0; i < sizeof(begin) - 1 && memory[i] && memory[i] != '\n'; i++)
		begin[i] = memory[i];
	printf("mapper: process %d sees \"%s\"\n", getpid(), begin);
	fflush(stdout);
	for (i = 0; i < TOUCHES; i++) {
		usleep(PERIOD_US);
		(void)memory[0];
	}
	fputs("mapper: the memory is still there\n", stderr);
	return 1;
}
