// SPDX-License-Identifier: GPL-2.0-only
/* The module as a file: the kernels for which it is installed, and its properties. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

#define MODULE		"ccshm.ko"
#define MODULE_MAX	(64U << 20)	/* larger than any module with debug information */

/* The kernel's marker at the end of a signed module. */
static const char signature[] = "~Module signature appended~\n";

/* The compression formats of distributions; packages of kmod provide the programs. */
static const struct packing {
	const char *suffix;
	const char *program;
} packings[] = {
	{ "", NULL },
	{ ".xz", "xz" },
	{ ".zst", "zstd" },
	{ ".gz", "gzip" },
};

#define NR_PACKINGS	(sizeof(packings) / sizeof(packings[0]))

static const struct packing *packing_of(const char *name)
{
	size_t i, len = strlen(MODULE);

	if (strncmp(name, MODULE, len))
		return NULL;
	for (i = 0; i < NR_PACKINGS; i++) {
		if (!strcmp(name + len, packings[i].suffix))
			return &packings[i];
	}
	return NULL;
}

/* Find the module in a line "DIRECTORY/NAME.ko: DEPENDENCIES" of depmod's index. */
static bool is_ours(const char *line, char *path, size_t len)
{
	const char *colon = strchr(line, ':'), *name;

	if (!colon || (size_t)(colon - line) >= len)
		return false;
	snprintf(path, len, "%.*s", (int)(colon - line), line);
	name = strrchr(path, '/');
	return packing_of(name ? name + 1 : path);
}

static int find_path(const char *release, char *path, size_t len)
{
	char index[SYSTEM_PATH_LEN], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *f;

	system_path(index, "/lib/modules/%s/modules.dep", release);
	f = fopen(index, "re");
	if (!f)
		return -errno;
	while (!found && getline(&line, &size, f) > 0)
		found = is_ours(line, path, len);
	free(line);
	fclose(f);
	return found ? 0 : -ENOENT;
}

/*
 * Start "PROGRAM -dc" with @file as its input. Return the reading end of a pipe, or a negative
 * errno.
 */
static int unpack(const char *program, int file, pid_t *pid)
{
	char *argv[] = { (char *)program, (char *)"-dc", NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, file, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	err = posix_spawnp(pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (!err)
		return ends[0];
	close(ends[0]);
	return -err;
}

/* Read a whole file. Return bytes that the caller frees, or NULL if the file is too large. */
static char *slurp(int fd, size_t *len)
{
	char *bytes = NULL, *more;
	size_t size = 0;
	ssize_t n;

	for (*len = 0;; *len += (size_t)n) {
		if (*len == size) {
			size = size ? 2 * size : 256UL * 1024;
			more = size > MODULE_MAX ? NULL : realloc(bytes, size);
			if (!more)
				break;
			bytes = more;
		}
		n = read(fd, bytes + *len, size - *len);
		if (!n)
			return bytes;
		if (n < 0)
			break;
	}
	free(bytes);
	return NULL;
}

static char *read_module(const char *path, size_t *len)
{
	const struct packing *packing = packing_of(strrchr(path, '/') + 1);
	char *bytes = NULL;
	int file, fd, status;
	pid_t pid = -1;

	/* system_path() truncates a path that is too long. */
	if (!packing)
		return NULL;
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return NULL;
	if (!packing->program) {
		bytes = slurp(file, len);
		close(file);
		return bytes;
	}
	fd = unpack(packing->program, file, &pid);
	close(file);
	if (fd < 0)
		return NULL;
	bytes = slurp(fd, len);
	close(fd);
	if (waitpid(pid, &status, 0) == pid && !status)
		return bytes;
	free(bytes);
	return NULL;
}

/* Copy the first word of a string "KEY=VALUE" in .modinfo, which strings end with NUL. */
static void read_info(const char *bytes, size_t len, const char *key, char *word, size_t max)
{
	size_t n = 0, left, key_len = strlen(key);
	const char *value = memmem(bytes, len, key, key_len);

	while (value && value > bytes && value[-1])
		value = memmem(value + 1, len - (size_t)(value + 1 - bytes), key, key_len);
	*word = '\0';
	if (!value)
		return;
	value += key_len;
	left = len - (size_t)(value - bytes);
	while (n < left && n < max - 1 && value[n] && value[n] != ' ')
		n++;
	memcpy(word, value, n);
	word[n] = '\0';
}

static bool read_signature(const char *bytes, size_t len)
{
	size_t n = strlen(signature);

	return len > n && !memcmp(bytes + len - n, signature, n);
}

#define INFO_LEN	12	/* struct module_signature of the kernel */
#define INFO_ID_TYPE	2	/* offset of the type */
#define PKEY_ID_PKCS7	2	/* the only type that the kernel accepts */
#define INFO_SIG_LEN	8	/* offset of the signature's length, big-endian */

/* The object identifier 2.5.4.3 in DER: a common name follows it. */
static const char common_name[] = "\x06\x03\x55\x04\x03";

/*
 * Find the signer as modinfo shows it: the last common name in the signature, which is a PKCS#7
 * message that ends with the issuer of the signer's certificate.
 */
static void read_signer(const char *bytes, size_t len, char signer[SIGNER_LEN])
{
	const unsigned char *info, *name;
	const char *sig, *at, *end, *last = NULL;
	size_t n, sig_len;

	*signer = '\0';
	n = strlen(signature) + INFO_LEN;
	if (len < n)
		return;
	info = (const unsigned char *)bytes + len - n;
	sig_len = (size_t)info[INFO_SIG_LEN] << 24 | (size_t)info[INFO_SIG_LEN + 1] << 16 |
		  (size_t)info[INFO_SIG_LEN + 2] << 8 | info[INFO_SIG_LEN + 3];
	if (info[INFO_ID_TYPE] != PKEY_ID_PKCS7 || sig_len > len - n)
		return;
	end = (const char *)info;
	sig = end - sig_len;
	for (at = sig; (at = memmem(at, (size_t)(end - at), common_name, strlen(common_name))); at++)
		last = at;
	/* A type byte, a length byte, and the text. */
	if (!last || end - last < (ptrdiff_t)strlen(common_name) + 2)
		return;
	name = (const unsigned char *)last + strlen(common_name);
	if (name[1] >= 0x80 || name[1] > end - (const char *)name - 2)
		return;
	snprintf(signer, SIGNER_LEN, "%.*s", name[1], (const char *)name + 2);
}

int module_find(const char *release, struct module_file *file)
{
	char path[SYSTEM_PATH_LEN], *bytes;
	size_t len;
	int err;

	memset(file, 0, sizeof(*file));
	err = find_path(release, file->path, sizeof(file->path));
	if (err)
		return err;
	system_path(path, "/lib/modules/%s/%s", release, file->path);
	bytes = read_module(path, &len);
	if (!bytes)
		return 0;
	file->known = true;
	read_info(bytes, len, "vermagic=", file->built_for, sizeof(file->built_for));
	read_info(bytes, len, "srcversion=", file->srcversion, sizeof(file->srcversion));
	file->is_signed = read_signature(bytes, len);
	if (file->is_signed)
		read_signer(bytes, len, file->signer);
	free(bytes);
	return 0;
}

int module_others(const char *release, char *text, size_t len)
{
	char path[SYSTEM_PATH_LEN], found[SYSTEM_PATH_LEN];
	struct dirent **entries;
	int i, count, n = 0;
	size_t used = 0;

	*text = '\0';
	system_path(path, "/lib/modules");
	count = scandir(path, &entries, NULL, versionsort);
	for (i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (*name != '.' && strcmp(name, release) &&
		    !find_path(name, found, sizeof(found)) && used < len) {
			used += (size_t)snprintf(text + used, len - used, "%s%s",
						 n ? ", " : "", name);
			n++;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return n;
}
