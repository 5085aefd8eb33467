// SPDX-License-Identifier: GPL-2.0-only
/*
 * Name the cause of an EINVAL or of a refusal by a limit, which have many causes that the driver
 * does not report. The driver decides: these functions run after it has refused, or before if the
 * result is certain.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

#define LIST_LEN	512

const char *slice_refused(uint64_t size, uint64_t offset, uint64_t length,
			  char text[CAUSE_LEN])
{
	char end[SIZE_TEXT_LEN];

	if (offset >= size)
		snprintf(text, CAUSE_LEN, "--offset is not before its end, at %s",
			 size_format(size, end));
	else if (length > size - offset)
		snprintf(text, CAUSE_LEN, "--length goes beyond its end, at %s",
			 size_format(size, end));
	else
		return NULL;
	return text;
}

/* Check whether a list such as "0-3,7" contains the number. */
static bool is_listed(const char *list, unsigned long number)
{
	unsigned long first, last;
	char *end;

	while (*list) {
		first = strtoul(list, &end, 10);
		last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
		if (end != list && number >= first && number <= last)
			return true;
		list = *end ? end + 1 : end;
	}
	return false;
}

/* Read the NUMA nodes from which this process may allocate. */
static int allowed_nodes(char list[LIST_LEN])
{
	static const char key[] = "Mems_allowed_list:";
	char status[8192], *s;

	if (system_read(status, sizeof(status), "/proc/self/status") < 0)
		return -ENOENT;
	s = strstr(status, key);
	if (!s)
		return -ENOENT;
	s += strlen(key);
	s += strspn(s, " \t");
	snprintf(list, LIST_LEN, "%.*s", (int)strcspn(s, "\n"), s);
	return 0;
}

const char *node_refused(int node, char text[CAUSE_LEN])
{
	char online[LIST_LEN], memory[LIST_LEN], allowed[LIST_LEN];
	unsigned long number = (unsigned long)node;

	if (node < 0)
		return NULL;
	/* A kernel without NUMA has one node and no such file. */
	if (system_line(online, sizeof(online), "/sys/devices/system/node/online"))
		strcpy(online, "0");
	if (!is_listed(online, number))
		snprintf(text, CAUSE_LEN, "there is no NUMA node %d; this machine has %.64s",
			 node, online);
	else if (!system_line(memory, sizeof(memory), "/sys/devices/system/node/has_memory") &&
		 !is_listed(memory, number))
		snprintf(text, CAUSE_LEN, "NUMA node %d has no memory; these have: %.64s", node,
			 memory);
	else if (!allowed_nodes(allowed) && !is_listed(allowed, number))
		snprintf(text, CAUSE_LEN,
			 "NUMA node %d is not in the cpuset of this process, which has %.64s", node,
			 allowed);
	else
		return NULL;
	return text;
}

/* Check whether the caller's user namespace maps this id; true if this is unknown. */
static bool is_mapped(const char *map, unsigned long id)
{
	unsigned long first, outside, count;
	char lines[8192];
	const char *line;

	if (system_read(lines, sizeof(lines), "/proc/self/%s", map) <= 0)
		return true;
	for (line = lines; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%lu %lu %lu", &first, &outside, &count) == 3 && id >= first &&
		    id - first < count)
			return true;
	}
	return false;
}

const char *owner_refused(uid_t owner, gid_t group, char text[CAUSE_LEN])
{
	if (owner != (uid_t)-1 && !is_mapped("uid_map", owner))
		snprintf(text, CAUSE_LEN, "the user %u is not mapped in this user namespace", owner);
	else if (group != (gid_t)-1 && !is_mapped("gid_map", group))
		snprintf(text, CAUSE_LEN, "the group %u is not mapped in this user namespace", group);
	else
		return NULL;
	return text;
}

/* Return the maximum number of bytes that a limit counts for a buffer. */
static uint64_t counted_bytes(const struct ccshm_info *info, uint64_t size, bool contiguous)
{
	uint64_t block = ccshm_info_block_size(info), units = size / block + !!(size % block);
	uint64_t power = 1;

	while (contiguous && power < units && power <= UINT64_MAX / 2)
		power *= 2;
	return (contiguous ? power : units) * block;
}

/* Check whether the limit would permit the buffer without leaked memory. */
static bool fits_without_leaks(const struct ccshm_info *info, int err, uint64_t bytes)
{
	uint64_t limit, used;

	if (err == -ENOSPC) {
		limit = ccshm_info_limit_total_bytes(info);
		used = ccshm_info_used_bytes(info);
	} else if (ccshm_info_user_buffers(info) < ccshm_info_limit_user_buffers(info)) {
		limit = ccshm_info_limit_user_bytes(info);
		used = ccshm_info_user_bytes(info);
	} else {
		return false;
	}
	return used <= limit && bytes <= limit - used;
}

const char *leak_refused(struct ccshm *ctx, int err, uint64_t size, bool contiguous,
			 char text[CAUSE_LEN])
{
	const char *cause = NULL;
	struct ccshm_info *info;
	char leaked[SIZE_TEXT_LEN];

	if (ccshm_info_get(ctx, &info))
		return NULL;
	if (ccshm_info_user_bytes_leaked(info) && ccshm_info_block_size(info) &&
	    fits_without_leaks(info, err, counted_bytes(info, size, contiguous))) {
		snprintf(text, CAUSE_LEN,
			 "%s of your memory could not be made private again, and counts against %s until the machine restarts (user_bytes_leaked in `ccshmctl info`); have an administrator raise the limit",
			 size_format(ccshm_info_user_bytes_leaked(info), leaked),
			 err == -ENOSPC ? "limit_total_bytes" : "limit_user_bytes");
		cause = text;
	}
	ccshm_info_free(info);
	return cause;
}

/* Name the error in the part before the slash. */
static const char *user_refused(const char *buffer, size_t len, char text[CAUSE_LEN])
{
	char *user = or_die(strndup(buffer, len));
	const char *cause = NULL;
	uid_t uid;

	if (!len) {
		cause = "there is no user before the '/'";
	} else if (user_parse(user, &uid)) {
		snprintf(text, CAUSE_LEN, "there is no user '%.*s'", text_fitting(user, 64), user);
		cause = text;
	}
	free(user);
	return cause;
}

/* Name the error of a valid id. */
static const char *id_refused(struct ccshm *ctx, uint64_t id, char text[CAUSE_LEN])
{
	struct ccshm_status *st;
	uint32_t type;

	if (ccshm_status_get(ctx, id, &st))
		return NULL;
	type = ccshm_status_type(st);
	ccshm_status_free(st);
	if (type == CCSHM_TYPE_BUFFER || !ccshm_type_name(type))
		return NULL;
	snprintf(text, CAUSE_LEN, "it is an %s, not a buffer", ccshm_type_name(type));
	return text;
}

const char *buffer_refused(struct ccshm *ctx, const char *buffer, char text[CAUSE_LEN])
{
	const char *slash = strchr(buffer, '/'), *name = slash ? slash + 1 : buffer, *why;
	uint64_t id;

	if (!id_parse(buffer, &id))
		return id_refused(ctx, id, text);
	if (slash) {
		why = user_refused(buffer, (size_t)(slash - buffer), text);
		if (why)
			return why;
	} else if (*buffer == '@' || (*buffer >= '0' && *buffer <= '9')) {
		return "it is neither a name nor an id: an id is a positive number, optionally after @";
	}
	why = name_error(name);
	if (!why)
		return NULL;
	snprintf(text, CAUSE_LEN, "'%.*s' %s", text_fitting(name, 64), name, why);
	return text;
}
