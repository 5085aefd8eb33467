/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ccshmctl provision: what its files share.
 *
 * files.c finds the files, ini.c reads a file line by line, plan.c makes a plan of the
 * buffers, limits and sizes of the pool, and provision.c carries it out. Errors are reported as soon as
 * they are found, with file and line, and do not stop the rest.
 */
#ifndef CCSHMCTL_PROVISION_H
#define CCSHMCTL_PROVISION_H

#include "ccshmctl.h"

/* ---- files.c ---- */

/**
 * struct file_list - files to read
 * @paths: their paths; "-" is standard input if @named is set
 * @count: number of paths
 * @named: the user named the file, so a pipe or a terminal is a valid input
 */
struct file_list {
	char **paths;
	size_t count;
	bool named;
};

/* The list takes ownership of @path. */
void files_add(struct file_list *files, char *path);

struct plan;

/*
 * List the *.conf files of all directories in the order of their names; a name counts
 * once, in the first directory that has it. Record a directory that cannot be listed as a
 * problem of @plan.
 */
void files_find(struct file_list *files, struct plan *plan);
void files_free(struct file_list *files);

/* ---- ini.c ---- */

/* Called for each section, key and wrong line. The texts are valid during the call only. */
struct ini_visitor {
	void (*section)(void *data, unsigned int line, const char *name);
	void (*key)(void *data, unsigned int line, const char *key, const char *value);
	void (*wrong)(void *data, unsigned int line, const char *why);
};

/*
 * Read one file; @named as in struct file_list. Report wrong lines to the visitor. Return 0 or a
 * negative errno. -EMEDIUMTYPE: neither a regular file nor /dev/null, which hides another file.
 */
int ini_read(const char *path, bool named, const struct ini_visitor *visitor, void *data);
/* Return the path as messages show it. */
const char *ini_name(const char *path, bool named);

/* ---- plan.c ---- */

/**
 * struct setting - a limit, or a size of the pool
 * @name: its key
 * @is_pool: a key of [pool], not of [limits]
 * @is_number: it counts objects instead of bytes
 */
struct setting {
	const char *name;
	bool is_pool;
	bool is_number;
};

#define SETTINGS	6

/* In the order in which they are set. */
extern const struct setting settings[SETTINGS];
/* Return "limit" or "pool". */
const char *setting_kind(bool is_pool);

/**
 * struct setting_plan - a value to set
 * @file: file that sets it; NULL: none
 * @line: line in @file
 * @value: bytes, or a number of objects; CCSHM_LIMIT_NONE: no limit
 */
struct setting_plan {
	const char *file;
	unsigned int line;
	uint64_t value;
};

/**
 * struct buffer_plan - a buffer to make
 * @file: file that has its section
 * @line: line where the section begins
 * @name: name in the section
 * @owner: uid; -1: the caller
 * @group: gid; -1: that of the caller
 * @mode: permission bits
 * @node: NUMA node; -1: any
 * @dma32: below 4 GiB
 * @contiguous: in one piece
 * @whole_units: of whole units only
 * @others_pin: other users may make pinned exports
 * @size: bytes, in whole pages; 0: not set
 * @seen: bits of the keys that the section has
 * @wrong: all errors of the section, separated by "; "; NULL: none
 */
struct buffer_plan {
	const char *file;
	unsigned int line;
	char *name;
	uid_t owner;
	gid_t group;
	mode_t mode;
	int node;
	bool dma32;
	bool contiguous;
	bool whole_units;
	bool others_pin;
	uint64_t size;
	unsigned int seen;
	char *wrong;
};

/**
 * struct problem - a failure that belongs to no buffer of the plan
 * @kind: "limit", "pool", "section", "line" or "file"
 * @name: of the limit, size or section; NULL for a line or a file
 * @file: where it was found
 * @line: its line; 0: the file as a whole
 * @reason: what is wrong
 */
struct problem {
	const char *kind;
	char *name;
	char *file;
	unsigned int line;
	char *reason;
};

/**
 * struct plan - the buffers and settings of all files, and the problems with them
 * @settings: in the order of settings
 * @buffers: in the order of the files and their lines
 * @nbuffers: their number
 * @problems: in the order in which they were reported
 * @nproblems: their number
 * @code: the worst exit code of what was reported
 */
struct plan {
	struct setting_plan settings[SETTINGS];
	struct buffer_plan *buffers;
	size_t nbuffers;
	struct problem *problems;
	size_t nproblems;
	int code;
};

void plan_read(struct plan *plan, const struct file_list *files);
/* Record a failure that was reported on standard error; the texts are copied. */
void plan_problem(struct plan *plan, const char *kind, const char *name, const char *file,
		  unsigned int line, const char *reason);
/* Report and record a file or directory that cannot be read. */
void plan_unreadable(struct plan *plan, enum op op, int err, const char *path);
void plan_free(struct plan *plan);

/* Choose the exit code that is most useful to scripts: permission, then any failure. */
int worse_code(int a, int b);

#endif /* CCSHMCTL_PROVISION_H */
