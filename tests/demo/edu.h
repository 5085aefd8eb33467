/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A userspace driver for QEMU's "edu" device: its DMA engine, and the bits of the PCI
 * configuration space that the engine needs. Like a userspace driver for real hardware, the
 * driver uses only sysfs.
 *
 * The engine copies data between memory and a buffer of 4 KiB in the device. Software starts
 * the engine, and the device reports the end of the transfer. QEMU 7.2 aborts on an access to
 * the last byte of the buffer, so the driver does not use the buffer's end.
 *
 * Functions return 0 or a negative errno unless described otherwise.
 */
#ifndef TESTS_DEMO_EDU_H
#define TESTS_DEMO_EDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDU_DEVICE_DEFAULT	"0000:00:04.0"
#define EDU_DMA_MAX		4092

struct edu {
	volatile uint8_t *bar;
	int config;		/* the PCI configuration space */
};

enum edu_direction {
	EDU_OUT,		/* from memory to the device */
	EDU_IN,			/* from the device to memory */
};

/* @device: name in sysfs, such as "0000:00:04.0". Returns -ENODEV if the device is not an edu. */
int edu_open(const char *device, struct edu *edu);
void edu_close(struct edu *edu);

/* Enable memory space; leave bus mastering unchanged. edu_open() calls this. */
int edu_enable(struct edu *edu);
/* Set bus mastering, which the device needs to access memory. */
int edu_set_bus_master(struct edu *edu, bool on);
/* Return 1 if bus mastering is enabled, 0 if it is disabled, or a negative errno. */
int edu_bus_master(struct edu *edu);

/*
 * Start the engine and wait for the end of the transfer. @at is an offset in the device's
 * buffer; @at + @len must not exceed EDU_DMA_MAX. Return -ETIMEDOUT if the transfer does not
 * end. Return 0 even if no data were copied because bus mastering is disabled.
 */
int edu_dma(struct edu *edu, enum edu_direction direction, uint64_t address,
	    size_t len, size_t at);
/* The two steps of edu_dma(). */
int edu_dma_start(struct edu *edu, enum edu_direction direction,
		  uint64_t address, size_t len, size_t at);
int edu_dma_wait(struct edu *edu);
/* Return whether a transfer is in progress. The engine moves data at the end of a transfer. */
bool edu_dma_busy(struct edu *edu);

#endif /* TESTS_DEMO_EDU_H */
