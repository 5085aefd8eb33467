/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine's two edu devices in suites: driven from user space with the driver of tests/demo, or
 * bound to the test importer.
 */
#ifndef CCSHM_DEVICE_H
#define CCSHM_DEVICE_H

#include "../../demo/edu.h"
#include "touch.h"

#define EDU_A	"0000:00:04.0"		/* DMA mask of 32 bits */
#define EDU_B	"0000:00:05.0"		/* DMA mask of 28 bits */
#define EDU_C	"0000:00:06.0"		/* only in suites that add a third device with vm-qemu */
#define PCI_A	"pci:" EDU_A
#define PCI_B	"pci:" EDU_B
#define PCI_C	"pci:" EDU_C

#define MAX_SEGMENTS	256
#define TRANSFER	2048	/* bytes of a transfer where the length does not matter */

/* ---- attachments ---- */

/* An attachment with its segments. */
struct attached {
	int fd;
	uint64_t id;
	unsigned int nr;
	struct ccshm_ioc_segment segment[MAX_SEGMENTS];
};

/*
 * Attach with @req, in which the caller has set all but the device name ("pci:..."), and read the
 * segments. Return 0 or a negative errno.
 */
RAW_CHECKED int attach_with(int ccshm, struct ccshm_ioc_attach *req, const char *device,
			    struct attached *a);
RAW_CHECKED int attach_buffer(int ccshm, uint64_t id, const char *device, struct attached *a);
RAW_CHECKED int attach_dmabuf(int ccshm, int dmabuf, const char *device, struct attached *a);

/* Report with DETACH that the device has stopped, and close the attachment. */
RAW_CHECKED int attached_end(struct attached *a);

/* Return the DMA address of offset @offset of the attached slice. */
uint64_t dma_at(const struct attached *a, uint64_t offset);

/*
 * Return whether the segments are contiguous, consist of whole pages, and cover exactly @size
 * bytes.
 */
bool segments_cover(const struct attached *a, uint64_t size);

/* ---- the device ---- */

/* Make the device copy from one DMA address to another. Return 0 or a negative errno. */
RAW_CHECKED int device_copy(struct edu *edu, uint64_t from, uint64_t to, size_t len);

/* Open the device and enable its DMA. */
void device_start(struct edu *edu, const char *device);

/*
 * Return whether the bus master bit becomes @want within 10 s: the driver stops a device from a work
 * item.
 */
RAW_CHECKED bool bus_master_is(struct edu *edu, int want);

/* ---- drivers ---- */

/* Write @text to a file. Return 0 or a negative errno. */
RAW_CHECKED int write_text(const char *path, const char *text);

/* Write @text to a file of the device in sysfs. */
RAW_CHECKED int device_file(const char *device, const char *name, const char *text);
bool device_exists(const char *device);

/* Bind the device to @driver, and allow no other driver. With "", allow any driver. */
RAW_CHECKED int device_bind(const char *device, const char *driver);
RAW_CHECKED int device_unbind(const char *device);

/* Return the name of the device's driver, or "". The next call overwrites the name. */
const char *device_driver(const char *device);

/* ---- files and symbols of the kernel ---- */

/* Return the number that a file contains, or -1. */
long long read_number(const char *path);

/* Return the value of a parameter of the kernel's command line, the last one if there are several. */
uint64_t kernel_parameter(const char *name, uint64_t otherwise);

/*
 * Return the address of a symbol of a module (@module NULL: of the kernel), or 0 if there is none. If
 * several symbols have this name, the address is that of the last one.
 */
unsigned long symbol_address(const char *symbol, const char *module);

/* ---- bounce buffers ---- */

/* Return the number of bounce buffer slots in use, or -1 if the kernel has no bounce buffers. */
long long bounce_slots(void);

/*
 * Return the highest number of slots in use since bounce_restart(), or -1 if it cannot be
 * determined.
 */
long long bounce_most(void);

/* Restart the high-water mark that bounce_most() returns. */
void bounce_restart(void);

#endif /* CCSHM_DEVICE_H */
