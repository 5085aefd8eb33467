// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "edu.h"

#define BAR_SIZE	(1UL << 20)

#define REG_ID		0x00
#define REG_DMA_SOURCE	0x80
#define REG_DMA_DEST	0x88
#define REG_DMA_COUNT	0x90
#define REG_DMA_COMMAND	0x98
#define DMA_START	(1U << 0)
#define DMA_TO_MEMORY	(1U << 1)

/* The address of the device's buffer for the DMA engine. */
#define INTERNAL_BUFFER	0x40000ULL

#define EDU_ID		0x010000edU
#define EDU_PCI_ID	0x11e81234U	/* device, vendor */

#define PCI_COMMAND		0x04
#define PCI_COMMAND_MEMORY	0x0002
#define PCI_COMMAND_MASTER	0x0004

#define DMA_WAIT_MS	5000

static uint32_t read32(const struct edu *edu, unsigned int reg)
{
	return *(volatile uint32_t *)(edu->bar + reg);
}

static void write32(struct edu *edu, unsigned int reg, uint32_t value)
{
	*(volatile uint32_t *)(edu->bar + reg) = value;
}

static void write64(struct edu *edu, unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(edu->bar + reg) = value;
}

static int open_file(const char *device, const char *name, int flags)
{
	char path[128];
	int fd, n;

	n = snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_config(const struct edu *edu, off_t offset, void *value, size_t len)
{
	if (pread(edu->config, value, len, offset) == (ssize_t)len)
		return 0;
	return errno ? -errno : -EIO;
}

/* Clear and set bits of the command register. */
static int update_command(struct edu *edu, uint16_t clear, uint16_t set)
{
	uint16_t command;
	int err;

	err = read_config(edu, PCI_COMMAND, &command, sizeof(command));
	if (err)
		return err;
	command = (uint16_t)((command & ~clear) | set);
	if (pwrite(edu->config, &command, sizeof(command), PCI_COMMAND) !=
	    (ssize_t)sizeof(command))
		return errno ? -errno : -EIO;
	return 0;
}

int edu_enable(struct edu *edu)
{
	return update_command(edu, 0, PCI_COMMAND_MEMORY);
}

int edu_set_bus_master(struct edu *edu, bool on)
{
	return update_command(edu, PCI_COMMAND_MASTER, on ? PCI_COMMAND_MASTER : 0);
}

int edu_bus_master(struct edu *edu)
{
	uint16_t command;
	int err;

	err = read_config(edu, PCI_COMMAND, &command, sizeof(command));
	return err ? err : !!(command & PCI_COMMAND_MASTER);
}

static int map_bar(const char *device, struct edu *edu)
{
	void *bar;
	int fd;

	fd = open_file(device, "resource0", O_RDWR | O_SYNC);
	if (fd < 0)
		return fd;
	bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (bar == MAP_FAILED)
		return -errno;
	edu->bar = bar;
	return 0;
}

int edu_open(const char *device, struct edu *edu)
{
	uint32_t id = 0;
	int err;

	memset(edu, 0, sizeof(*edu));
	edu->config = open_file(device, "config", O_RDWR);
	if (edu->config < 0)
		return edu->config == -ENOENT ? -ENODEV : edu->config;
	err = read_config(edu, 0, &id, sizeof(id));
	if (!err && id != EDU_PCI_ID)
		err = -ENODEV;
	if (!err)
		err = edu_enable(edu);
	if (!err)
		err = map_bar(device, edu);
	if (!err && read32(edu, REG_ID) != EDU_ID)
		err = -ENODEV;
	if (err)
		edu_close(edu);
	return err;
}

void edu_close(struct edu *edu)
{
	if (edu->bar)
		munmap((void *)edu->bar, BAR_SIZE);
	close(edu->config);
	edu->bar = NULL;
}

bool edu_dma_busy(struct edu *edu)
{
	return read32(edu, REG_DMA_COMMAND) & DMA_START;
}

int edu_dma_start(struct edu *edu, enum edu_direction direction,
		  uint64_t address, size_t len, size_t at)
{
	uint64_t internal = INTERNAL_BUFFER + at;

	if (!len || at > EDU_DMA_MAX || len > EDU_DMA_MAX - at)
		return -EINVAL;
	if (edu_dma_busy(edu))
		return -EBUSY;
	write64(edu, REG_DMA_SOURCE, direction == EDU_OUT ? address : internal);
	write64(edu, REG_DMA_DEST, direction == EDU_OUT ? internal : address);
	write64(edu, REG_DMA_COUNT, len);
	/* The CPU's writes must reach memory before the engine starts. */
	__sync_synchronize();
	write32(edu, REG_DMA_COMMAND,
		DMA_START | (direction == EDU_IN ? DMA_TO_MEMORY : 0));
	return 0;
}

int edu_dma_wait(struct edu *edu)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (edu_dma_busy(edu)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - begin.tv_sec) * 1000 +
		    (now.tv_nsec - begin.tv_nsec) / 1000000 > DMA_WAIT_MS)
			return -ETIMEDOUT;
		nanosleep(&nap, NULL);
	}
	__sync_synchronize();
	return 0;
}

int edu_dma(struct edu *edu, enum edu_direction direction, uint64_t address,
	    size_t len, size_t at)
{
	int err = edu_dma_start(edu, direction, address, len, at);

	return err ? err : edu_dma_wait(edu);
}
