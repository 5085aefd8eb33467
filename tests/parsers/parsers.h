/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets of the parsers share. Each target is a program with libFuzzer, ASan and
 * UBSan: it passes each input to the functions of one parser, and checks what must hold for every
 * input.
 *
 * The functions print errors to stderr. The targets replace stderr by a file that checks the
 * messages: a message has no control character, whatever the input contains.
 */
#ifndef TESTS_PARSERS_H
#define TESTS_PARSERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* End the program if the condition does not hold; libFuzzer then stores the input. */
#define HOLDS(condition)						\
	do {								\
		if (!(condition))					\
			broken(__FILE__, __LINE__, #condition);		\
	} while (0)
void broken(const char *file, int line, const char *condition) __attribute__((noreturn));

/* libFuzzer calls these functions. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Called once, before the first input. Each target has one. */
void prepare(void);

/*
 * Return a copy with a NUL after it, in memory of exactly this size, so that ASan detects an access
 * beyond it. The caller frees it.
 */
char *text_of(const uint8_t *data, size_t size);

/* Return the number of lines that were printed to stderr since the last call. */
unsigned int messages(void);

/*
 * Files below system_root(), a temporary directory. A slot is a file in memory whose contents
 * change with each input; file_link() gives it a path.
 */
void file_directory(const char *path);
void file_link(int slot, const char *path);
void file_symlink(const char *target, const char *path);
void file_set(int slot, const void *bytes, size_t size);
/* Return a path of the slot that needs no root. */
const char *file_path(int slot);

#endif /* TESTS_PARSERS_H */
