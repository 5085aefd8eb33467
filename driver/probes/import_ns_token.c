// SPDX-License-Identifier: GPL-2.0-only
/* MODULE_IMPORT_NS() takes a token; newer kernels expect a string. */
#include <linux/module.h>

MODULE_IMPORT_NS(DMA_BUF);
