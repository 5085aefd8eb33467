// SPDX-License-Identifier: GPL-2.0-only
/* Find a property in QEMU's flattened device tree, to read or change it. */
#include "arm64.h"

#define DTB_MAGIC	0xd00dfeed
#define BEGIN_NODE	1
#define END_NODE	2
#define PROPERTY	3
#define NOP		4

struct dtb_header {
	u32 magic, size, structure, strings;
};

static u32 big_endian(u32 v)
{
	return __builtin_bswap32(v);
}

u64 dtb_number(const void *cells, u32 count)
{
	const u32 *cell = cells;
	u64 v = 0;

	while (count--)
		v = v << 32 | big_endian(*cell++);
	return v;
}

void dtb_set_number(void *cells, u64 value)
{
	u32 *cell = cells;

	cell[0] = big_endian(value >> 32);
	cell[1] = big_endian(value);
}

u64 dtb_size(const void *dtb)
{
	return dtb_number(&((const struct dtb_header *)dtb)->size, 1);
}

static u32 length_of(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	return n;
}

/* Skip the cells of @bytes bytes. */
static u32 *skip(u32 *at, u32 bytes)
{
	return at + (bytes + 3) / 4;
}

/*
 * Return the value of property @name of the first node whose name begins with @node and that
 * has the property, or NULL. @length may be NULL.
 */
void *dtb_property(void *dtb, const char *node, const char *name, u32 *length)
{
	u32 *at = dtb + dtb_number(dtb + offsetof(struct dtb_header, structure), 1);
	char *strings = dtb + dtb_number(dtb + offsetof(struct dtb_header, strings), 1);
	bool inside = false;
	u32 token;

	if (dtb_number(dtb, 1) != DTB_MAGIC)
		stop("no device tree");
	while ((token = big_endian(*at++)) >= BEGIN_NODE && token <= NOP) {
		if (token == BEGIN_NODE) {
			inside = string_equal((char *)at, node, length_of(node));
			at = skip(at, length_of((char *)at) + 1);
		} else if (token == END_NODE) {
			inside = false;
		} else if (token == PROPERTY) {
			u32 n = big_endian(at[0]);

			if (inside && string_equal(strings + big_endian(at[1]), name, length_of(name) + 1)) {
				if (length)
					*length = n;
				return at + 2;
			}
			at = skip(at + 2, n);
		}
	}
	return NULL;
}
