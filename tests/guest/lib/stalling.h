/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory that never answers: pages at which the kernel waits for userfaultfd, and so stops the
 * call that accesses them, until the page is released or the process is killed.
 */
#ifndef CCSHM_STALLING_H
#define CCSHM_STALLING_H

#include "raw.h"

/* Open a userfaultfd. Return a descriptor, or -1 if this kernel does not support what is needed. */
RAW_CHECKED int uffd_open(void);

/* Return whether this kernel can make writers of user memory wait. */
RAW_CHECKED bool uffd_supported(void);

/* Return a page at which readers and writers wait, or NULL if this kernel does not support this. */
RAW_CHECKED void *uffd_missing_page(int uffd);

/*
 * Return a page that can be read and written until uffd_protect(), or NULL if this kernel does not
 * support this.
 */
RAW_CHECKED void *uffd_page(int uffd);

/* Make writers of a page of uffd_page() wait, or let them continue. Return 0 or -1. */
RAW_CHECKED int uffd_protect(int uffd, void *p, bool on);

/* Wait up to 10 s until a thread waits at a page. Another process can call this. */
RAW_CHECKED bool uffd_waits(int uffd);

#endif /* CCSHM_STALLING_H */
