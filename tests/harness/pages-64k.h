/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration of an arm64 kernel with pages of 64 KiB, for headers of one with 16 KiB. Only
 * for compiling (tests/harness/probes): there is no such kernel to load the module.
 */
#undef CONFIG_ARM64_16K_PAGES
#undef CONFIG_PAGE_SIZE_16KB
#undef CONFIG_PAGE_SIZE_LESS_THAN_64KB
#undef CONFIG_ARM64_LPA2
#undef CONFIG_PAGE_SHIFT
#undef CONFIG_PGTABLE_LEVELS
#undef CONFIG_ARM64_CONT_PTE_SHIFT
#undef CONFIG_ARCH_FORCE_MAX_ORDER
#undef CONFIG_PAGE_BLOCK_MAX_ORDER
#define CONFIG_ARM64_64K_PAGES		1
#define CONFIG_PAGE_SIZE_64KB		1
#define CONFIG_PAGE_SHIFT		16
#define CONFIG_PGTABLE_LEVELS		3
#define CONFIG_ARM64_CONT_PTE_SHIFT	5
#define CONFIG_ARCH_FORCE_MAX_ORDER	13
#define CONFIG_PAGE_BLOCK_MAX_ORDER	13
