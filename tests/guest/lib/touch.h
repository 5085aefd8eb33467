/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Touch memory that may be unmapped, and write and check stamps: words that differ for each offset,
 * so that each page of a buffer can be told from every other.
 */
#ifndef CCSHM_TOUCH_H
#define CCSHM_TOUCH_H

#include <setjmp.h>
#include <sys/utsname.h>

#include "raw.h"

/* ---- touching memory: return 0 or the signal that the touch got ---- */

/* Information that the kernel passed with the signal of the last touch. */
extern __thread siginfo_t touch_info;

/*
 * Install the handlers for the signals of touches. Call this once, at the beginning of a suite;
 * forked children inherit the handlers.
 */
void touch_init(void);
RAW_CHECKED int touch_read(const volatile void *p);
RAW_CHECKED int touch_write(volatile void *p, unsigned char value);

/* Copy words; one side, or both, may be unmapped. */
RAW_CHECKED int touch_copy(volatile uint64_t *to, const volatile uint64_t *from, size_t words);

/* Call the code at @p. */
RAW_CHECKED int touch_call(const volatile void *p);

/* Read a byte every @step bytes. Return whether each read got the signal @want (0: none). */
RAW_CHECKED bool touch_some(const volatile void *p, size_t size, size_t step, int want);

/* Read a byte of each page. Return whether each read got the signal @want (0: none). */
RAW_CHECKED bool touch_all(const volatile void *p, size_t size, int want);

/* ---- stamps ---- */

/* Return the stamp of an offset of the buffer @seed. */
uint64_t stamp(uint64_t seed, uint64_t offset);

/* Write to @p the stamps of the buffer from @offset on. */
void stamp_write(volatile void *p, uint64_t seed, uint64_t offset, size_t size);

/* Return whether @p contains the stamps of the buffer from @offset on. */
bool stamp_check(const volatile void *p, uint64_t seed, uint64_t offset, size_t size);

/* Write stamps only at both ends of each page, because the memory is large. */
void stamp_pages(volatile void *p, uint64_t seed, uint64_t offset, size_t size);

/* Return whether both ends of each page contain their stamps. */
bool stamp_pages_check(const volatile void *p, uint64_t seed, uint64_t offset, size_t size);

/* ---- properties of this process and this kernel ---- */

/* Return whether the running kernel is this version or a later one. */
bool kernel_at_least(int major, int minor);

/*
 * Return the VmFlags of the mapping at @p, such as "rd wr sh", or "" if nothing is mapped there.
 * The next call overwrites the text.
 */
const char *vm_flags(const void *p);
bool has_vm_flag(const void *p, const char *flag);

/* Reserve address space for MAP_FIXED, aligned to a unit of conversion. */
void *aligned_space(size_t size);

/*
 * Map at a multiple of a unit. Return NULL with errno set if that fails. Do not release the
 * reserved address space after a failure: the kernel may have unmapped the space already, and
 * another thread may have mapped something there since.
 */
void *map_aligned(int fd, size_t size, int prot, off_t offset);

/* Map a dma-buf and unmap it. Return 0 or the errno of mmap(). */
RAW_CHECKED int try_map(int fd, size_t size, int prot, int flags);

#endif /* CCSHM_TOUCH_H */
