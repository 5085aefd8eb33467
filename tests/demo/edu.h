/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A userspace driver for QEMU's "edu" device: its DMA engine, and the bits of
 * PCI configuration that let it work. Nothing but sysfs is used, as a userspace
 * driver on real hardware would.
 *
 * The engine copies between memory and a buffer of 4 KiB inside the device. It
 * is started by software and says itself when it is done. QEMU 7.2 ends when the
 * last byte of the device's buffer is asked for, so that is not used.
 *
 * Functions give 0 or a negative errno unless they say otherwise.
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

/* device as in sysfs: "0000:00:04.0". -ENODEV: it is no edu. */
int edu_open(const char *device, struct edu *edu);
void edu_close(struct edu *edu);

/* Memory space on; bus mastering as it was. Done by edu_open(). */
int edu_enable(struct edu *edu);
/* The device may read and write memory only with bus mastering. */
int edu_set_bus_master(struct edu *edu, bool on);
/* 1, 0 or a negative errno. */
int edu_bus_master(struct edu *edu);

/*
 * Start the engine and wait for it. at: offset in the device's buffer; at + len
 * no more than EDU_DMA_MAX. -ETIMEDOUT: it did not get done. That it got done
 * does not say that a byte was moved: without bus mastering none is.
 */
int edu_dma(struct edu *edu, enum edu_direction direction, uint64_t address,
	    size_t len, size_t at);
/* The two halves of it. */
int edu_dma_start(struct edu *edu, enum edu_direction direction,
		  uint64_t address, size_t len, size_t at);
int edu_dma_wait(struct edu *edu);

#endif /* TESTS_DEMO_EDU_H */
