// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/ioctl.h>
#include <pthread.h>

#include "fake.h"

#define FIRST_FD	1000
#define MAX_FILES	64
#define MAX_OBJECTS	64
#define MAX_MAPPINGS	64

enum kind { CLOSED, DRIVER, MEMFD, DMABUF, ATTACHMENT, SOCKET };

struct file {
	enum kind kind;
	bool read_only;		/* DRIVER */
	unsigned int object;	/* DMABUF, ATTACHMENT */
	uint64_t size;		/* MEMFD */
	char *memory;		/* MEMFD */
};

struct object {
	uint32_t type;		/* 0: free slot */
	bool ended;
	struct ccshm_ioc_query query;
	int file;		/* anonymous buffers: the file whose close frees the buffer */
	char *memory;		/* buffers */
};

struct mapping {
	void *address;
	size_t size;
};

struct fake fake;

static struct file files[MAX_FILES];
static struct object objects[MAX_OBJECTS];
static struct mapping mappings[MAX_MAPPINGS];
static uint64_t last_id;
static struct {
	unsigned int skip;
	int error;
} failures[FAKE_CALLS];
static unsigned long failing_request;
static int failing_error;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ------------------------------------------------------------------------- */
/* Failures                                                                  */
/* ------------------------------------------------------------------------- */

void fake_fail(enum fake_call call, unsigned int skip, int error)
{
	failures[call].skip = skip;
	failures[call].error = error;
}

void fake_fail_ioctl(unsigned long request, int error)
{
	failing_request = request;
	failing_error = error;
}

int fake_enter(enum fake_call call)
{
	int error = failures[call].error;

	fake.count[call]++;
	if (!error)
		return 0;
	if (failures[call].skip) {
		failures[call].skip--;
		return 0;
	}
	failures[call].error = 0;
	return error;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
char *__real_strndup(const char *text, size_t length);
char *__wrap_strndup(const char *text, size_t length);

void *__wrap_calloc(size_t count, size_t size)
{
	if (failures[FAKE_CALLOC].error && fake_enter(FAKE_CALLOC))
		return NULL;
	return __real_calloc(count, size);
}

char *__wrap_strndup(const char *text, size_t length)
{
	if (failures[FAKE_STRNDUP].error && fake_enter(FAKE_STRNDUP))
		return NULL;
	return __real_strndup(text, length);
}

/* ------------------------------------------------------------------------- */
/* Files and objects                                                         */
/* ------------------------------------------------------------------------- */

static struct file *file_of(int fd)
{
	if (fd < FIRST_FD || fd >= FIRST_FD + MAX_FILES ||
	    files[fd - FIRST_FD].kind == CLOSED)
		return NULL;
	return &files[fd - FIRST_FD];
}

static int file_new(enum kind kind, struct file **file)
{
	int i;

	for (i = 0; i < MAX_FILES; i++) {
		if (files[i].kind != CLOSED || files[i].memory)
			continue;
		memset(&files[i], 0, sizeof(files[i]));
		files[i].kind = kind;
		if (file)
			*file = &files[i];
		return FIRST_FD + i;
	}
	return -EMFILE;
}

static struct object *object_new(uint32_t type)
{
	int i;

	for (i = 0; i < MAX_OBJECTS; i++) {
		struct object *object = &objects[i];

		if (object->type)
			continue;
		memset(object, 0, sizeof(*object));
		object->type = type;
		object->query.object_id = ++last_id;
		object->query.type = type;
		object->file = -1;
		return object;
	}
	abort();
}

static struct object *object_of(uint64_t id)
{
	int i;

	for (i = 0; id && i < MAX_OBJECTS; i++)
		if (objects[i].type && !objects[i].ended &&
		    objects[i].query.object_id == id)
			return &objects[i];
	return NULL;
}

static struct object *buffer_of(const struct object *object)
{
	int i;

	for (i = 0; i < MAX_OBJECTS; i++)
		if (objects[i].type == CCSHM_TYPE_BUFFER &&
		    objects[i].query.object_id == object->query.buffer_id)
			return &objects[i];
	abort();
}

unsigned int fake_objects(uint32_t type)
{
	unsigned int i, count = 0;

	for (i = 0; i < MAX_OBJECTS; i++)
		count += objects[i].type == type;
	return count;
}

unsigned int fake_files(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < MAX_FILES; i++)
		count += files[i].kind != CLOSED;
	return count;
}

unsigned int fake_mappings(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < MAX_MAPPINGS; i++)
		count += mappings[i].address != NULL;
	return count;
}

/* Return true if the buffer has exports, attachments or mappings. */
static bool buffer_used(const struct object *buffer)
{
	const char *start = buffer->memory;
	unsigned int i;

	for (i = 0; i < MAX_OBJECTS; i++)
		if (objects[i].type && objects[i].type != CCSHM_TYPE_BUFFER &&
		    objects[i].query.buffer_id == buffer->query.object_id)
			return true;
	for (i = 0; i < MAX_MAPPINGS; i++) {
		const char *address = mappings[i].address;

		if (address && address >= start &&
		    address < start + buffer->query.size)
			return true;
	}
	return false;
}

/* Free the memory of ended buffers that are not in use. */
static void collect(void)
{
	unsigned int i;

	for (i = 0; i < MAX_OBJECTS; i++) {
		if (objects[i].type != CCSHM_TYPE_BUFFER ||
		    !objects[i].ended || buffer_used(&objects[i]))
			continue;
		free(objects[i].memory);
		memset(&objects[i], 0, sizeof(objects[i]));
	}
}

static char *memory_new(uint64_t size)
{
	char *memory = aligned_alloc(PAGE, size);

	if (!memory)
		abort();
	memset(memory, 0, size);
	return memory;
}

/* ------------------------------------------------------------------------- */
/* The ioctls of the driver. Each gets a copy of the caller's structure.     */
/* ------------------------------------------------------------------------- */

static bool all_zero(const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size--)
		if (*at++)
			return false;
	return true;
}

/* Return true if the text has a NUL and only zeros after the NUL. */
static bool text_ok(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	return length < size && all_zero(text + length, size - length);
}

static int fake_info(struct ccshm_ioc_info *arg)
{
	if (arg->flags)
		return -EINVAL;
	if (fake.info.bytes_quarantined && fake.quarantine_infos && !--fake.quarantine_infos) {
		fake.info.bytes_leaked += fake.quarantine_leaks ? fake.info.bytes_quarantined : 0;
		fake.info.bytes_quarantined = 0;
	}
	*arg = fake.info;
	arg->abi_version = fake.abi_version;
	arg->abi_oldest = fake.abi_oldest;
	fake.infos++;
	/* Pretend that a list has changed since the previous INFO. */
	if (fake.infos % 2 && fake.lists_changed) {
		fake.lists_changed--;
		fake.generation++;
	}
	arg->generation = fake.generation;
	arg->next_id = fake.no_next_id ? 0 : last_id + 1;
	arg->buffers = fake_objects(CCSHM_TYPE_BUFFER);
	arg->exports = fake_objects(CCSHM_TYPE_EXPORT);
	arg->attachments = fake_objects(CCSHM_TYPE_ATTACHMENT);
	return 0;
}

static bool name_ok(const char *name)
{
	const char *first = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	const char *more = "0123456789.-";

	if (!text_ok(name, CCSHM_NAME_LEN) || !strchr(first, *name))
		return false;
	for (; *name; name++)
		if (!strchr(first, *name) && !strchr(more, *name))
			return false;
	return true;
}

static struct object *named(uint32_t uid, const char *name)
{
	int i;

	for (i = 0; i < MAX_OBJECTS; i++)
		if (objects[i].type == CCSHM_TYPE_BUFFER && !objects[i].ended &&
		    objects[i].query.uid == uid && objects[i].query.name[0] &&
		    !strcmp(objects[i].query.name, name))
			return &objects[i];
	return NULL;
}

static int alloc_check(const struct ccshm_ioc_alloc *arg)
{
	bool persistent = arg->flags & CCSHM_ALLOC_PERSISTENT;

	if (arg->flags & ~(CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID |
			   CCSHM_ALLOC_GID | CCSHM_ALLOC_NODE |
			   CCSHM_ALLOC_INTERRUPTIBLE | CCSHM_ALLOC_DMA32 |
			   CCSHM_ALLOC_CONTIGUOUS | CCSHM_ALLOC_OTHERS_PIN |
			   CCSHM_ALLOC_WHOLE_UNITS) ||
	    arg->reserved)
		return -EINVAL;
	if (!arg->size || arg->size > UINT64_MAX - (PAGE - 1))
		return -EINVAL;
	if (arg->mode & ~0666u || (arg->name[0] && !name_ok(arg->name)) ||
	    !text_ok(arg->name, sizeof(arg->name)))
		return -EINVAL;
	if (!persistent && (arg->flags & (CCSHM_ALLOC_UID | CCSHM_ALLOC_GID |
					  CCSHM_ALLOC_OTHERS_PIN) ||
			    arg->mode || arg->name[0]))
		return -EINVAL;
	if ((arg->uid && !(arg->flags & CCSHM_ALLOC_UID)) ||
	    (arg->gid && !(arg->flags & CCSHM_ALLOC_GID)) ||
	    (arg->node && !(arg->flags & CCSHM_ALLOC_NODE)) || arg->node < 0)
		return -EINVAL;
	return arg->size > 1ULL << 40 ? -ENOMEM : 0;
}

static int fake_alloc(int fd, struct ccshm_ioc_alloc *arg)
{
	uint32_t uid = arg->flags & CCSHM_ALLOC_UID ? arg->uid : FAKE_UID;
	struct object *buffer;
	int ret = alloc_check(arg);

	if (ret)
		return ret;
	if (arg->name[0] && named(uid, arg->name))
		return -EEXIST;
	buffer = object_new(CCSHM_TYPE_BUFFER);
	buffer->query.buffer_id = buffer->query.object_id;
	buffer->query.object_flags = arg->flags;
	buffer->query.query_flags = CCSHM_QUERY_CONTROL;
	buffer->query.size = (arg->size + PAGE - 1) / PAGE * PAGE;
	buffer->query.uid = uid;
	buffer->query.gid = arg->flags & CCSHM_ALLOC_GID ? arg->gid : FAKE_UID;
	buffer->query.mode = arg->mode;
	buffer->query.payer = FAKE_UID;
	buffer->query.charged = buffer->query.size;
	buffer->query.carved = buffer->query.size % FAKE_BLOCK;
	buffer->query.blocks = buffer->query.size / FAKE_BLOCK;
	buffer->query.units = buffer->query.blocks;
	buffer->query.units_whole = buffer->query.blocks;
	buffer->query.conversions = 1;
	memcpy(buffer->query.name, arg->name, sizeof(arg->name));
	buffer->memory = memory_new(buffer->query.size);
	if (!(arg->flags & CCSHM_ALLOC_PERSISTENT))
		buffer->file = fd;
	arg->id = buffer->query.object_id;
	arg->actual_size = buffer->query.size;
	return 0;
}

/* Set the state of an unfinished revoke: exports and attachments are still held. */
static void fake_revoking(uint64_t id)
{
	struct object *o;

	for (o = objects; o < objects + MAX_OBJECTS; o++)
		if (o->type && o->type != CCSHM_TYPE_BUFFER &&
		    o->query.state != CCSHM_STATE_REVOKED &&
		    (o->query.object_id == id || o->query.buffer_id == id || o->query.export_id == id))
			o->query.state = CCSHM_STATE_REVOKING;
}

static int fake_free(struct ccshm_ioc_free *arg)
{
	struct object *buffer = object_of(arg->id);

	if (arg->flags & ~CCSHM_FREE_REVOKE)
		return -EINVAL;
	if (!buffer || buffer->type != CCSHM_TYPE_BUFFER)
		return -ENOENT;
	if (fake.no_control)
		return -EPERM;
	if (arg->flags & CCSHM_FREE_REVOKE)
		fake_revoking(arg->id);
	buffer->ended = true;
	buffer->query.query_flags |= CCSHM_QUERY_ORPHAN;
	fake.info.calls_failed += fake.free_quarantines != 0;
	fake.info.bytes_quarantined += fake.free_quarantines;
	collect();
	return 0;
}

static int fake_find(struct ccshm_ioc_open *arg)
{
	struct object *buffer;

	if (arg->flags & ~CCSHM_OPEN_UID || arg->reserved ||
	    (arg->uid && !(arg->flags & CCSHM_OPEN_UID)) || !name_ok(arg->name))
		return -EINVAL;
	buffer = named(arg->flags & CCSHM_OPEN_UID ? arg->uid : FAKE_UID,
		       arg->name);
	if (!buffer || (fake.no_admin && buffer->query.uid != FAKE_UID))
		return -ENOENT;
	arg->id = buffer->query.object_id;
	return 0;
}

/* Return the object with the next higher id. Orphans count. */
static struct object *object_after(uint64_t id, uint32_t type)
{
	struct object *next = NULL;
	int i;

	for (i = 0; i < MAX_OBJECTS; i++)
		if (objects[i].type == type && objects[i].query.object_id > id &&
		    (!next || objects[i].query.object_id < next->query.object_id))
			next = &objects[i];
	return next;
}

static int query_fd(int fd, struct object **object)
{
	const struct file *file = file_of(fd);

	if (!file)
		return -EBADF;
	if (file->kind != DMABUF && file->kind != ATTACHMENT)
		return -EMEDIUMTYPE;
	*object = &objects[file->object];
	return 0;
}

static int fake_query(struct ccshm_ioc_query *arg)
{
	struct object *object = NULL;
	int ret = 0;

	if ((arg->flags != CCSHM_QUERY_BY_FD && arg->fd) ||
	    (arg->flags != CCSHM_QUERY_NEXT && arg->next_type) ||
	    (arg->flags == CCSHM_QUERY_BY_FD && arg->id))
		return -EINVAL;
	switch (arg->flags) {
	case 0:
		object = object_of(arg->id);
		break;
	case CCSHM_QUERY_BY_FD:
		ret = query_fd(arg->fd, &object);
		break;
	case CCSHM_QUERY_NEXT:
		if (!arg->next_type || arg->next_type > CCSHM_TYPE_ATTACHMENT)
			return -EINVAL;
		/* With next_stuck, return the first object each time. */
		object = object_after(fake.next_stuck ? 0 : arg->id,
				      arg->next_type);
		break;
	default:
		return -EINVAL;
	}
	if (ret)
		return ret;
	if (!object)
		return -ENOENT;
	*arg = object->query;
	if (arg->type == CCSHM_TYPE_BUFFER && fake.next_replaced) {
		fake.next_replaced--;
		object->query.object_id = ++last_id;
		object->query.buffer_id = last_id;
	}
	if (fake.no_control)
		arg->query_flags &= ~CCSHM_QUERY_CONTROL;
	if (fake.holder)
		arg->query_flags |= CCSHM_QUERY_HOLDER;
	return 0;
}

static int slice(uint64_t total, uint64_t offset, uint64_t *size)
{
	if (offset % PAGE || *size % PAGE || offset >= total ||
	    *size > total - offset)
		return -EINVAL;
	if (!*size)
		*size = total - offset;
	return 0;
}

static int set_check(const struct ccshm_ioc_set *arg, const struct object *buffer)
{
	const uint64_t all = CCSHM_SET_MODE | CCSHM_SET_GID | CCSHM_SET_UID |
			     CCSHM_SET_NAME | CCSHM_SET_SEALED;

	if (!arg->flags || arg->flags & ~all || arg->reserved || arg->sealed > 1 ||
	    arg->mode & ~0666u || !text_ok(arg->name, sizeof(arg->name)) ||
	    (arg->name[0] && !name_ok(arg->name)))
		return -EINVAL;
	if ((arg->mode && !(arg->flags & CCSHM_SET_MODE)) ||
	    (arg->gid && !(arg->flags & CCSHM_SET_GID)) ||
	    (arg->uid && !(arg->flags & CCSHM_SET_UID)) ||
	    (arg->name[0] && !(arg->flags & CCSHM_SET_NAME)) ||
	    (arg->sealed && !(arg->flags & CCSHM_SET_SEALED)))
		return -EINVAL;
	if (!buffer || buffer->type != CCSHM_TYPE_BUFFER)
		return -ENOENT;
	if (fake.no_control)
		return -EPERM;
	if (arg->flags != CCSHM_SET_SEALED &&
	    !(buffer->query.object_flags & CCSHM_ALLOC_PERSISTENT))
		return -EINVAL;
	if (fake.no_chown && arg->flags & CCSHM_SET_UID &&
	    arg->uid != buffer->query.uid)
		return -EPERM;
	return 0;
}

static int fake_set(const struct ccshm_ioc_set *arg)
{
	struct object *buffer = object_of(arg->id), *other;
	int ret = set_check(arg, buffer);
	struct ccshm_ioc_query *query;

	if (ret)
		return ret;
	query = &buffer->query;
	other = named(arg->flags & CCSHM_SET_UID ? arg->uid : query->uid,
		      arg->flags & CCSHM_SET_NAME ? arg->name : query->name);
	if (other && other != buffer)
		return -EEXIST;
	if (arg->flags & CCSHM_SET_MODE)
		query->mode = arg->mode;
	if (arg->flags & CCSHM_SET_GID)
		query->gid = arg->gid;
	if (arg->flags & CCSHM_SET_UID)
		query->uid = arg->uid;
	if (arg->flags & CCSHM_SET_NAME)
		memcpy(query->name, arg->name, sizeof(query->name));
	if (arg->flags & CCSHM_SET_SEALED) {
		query->query_flags &= ~CCSHM_QUERY_SEALED;
		query->query_flags |= arg->sealed ? CCSHM_QUERY_SEALED : 0;
	}
	return 0;
}

static int fake_export(struct ccshm_ioc_export *arg)
{
	struct object *buffer = object_of(arg->id), *export;
	uint64_t size = arg->size;
	struct file *file;
	int fd;

	if (arg->flags & ~(CCSHM_EXPORT_READ_ONLY | CCSHM_EXPORT_NO_CPU |
			   CCSHM_EXPORT_PINNED) || arg->reserved)
		return -EINVAL;
	if (!buffer || buffer->type != CCSHM_TYPE_BUFFER)
		return -ENOENT;
	if (slice(buffer->query.size, arg->offset, &size))
		return -EINVAL;
	if (fake.no_control && arg->flags & CCSHM_EXPORT_PINNED &&
	    !(buffer->query.object_flags & CCSHM_ALLOC_OTHERS_PIN))
		return -EPERM;
	if (fake.no_control && buffer->query.query_flags & CCSHM_QUERY_SEALED)
		return -EPERM;
	fd = file_new(DMABUF, &file);
	if (fd < 0)
		return fd;
	export = object_new(CCSHM_TYPE_EXPORT);
	export->query.object_flags = arg->flags;
	export->query.buffer_id = arg->id;
	export->query.offset = arg->offset;
	export->query.size = size;
	export->query.importers = 2;
	export->query.cpu_mappings = 3;
	buffer->query.exports++;
	file->object = (unsigned int)(export - objects);
	arg->export_id = export->query.object_id;
	arg->actual_size = size;
	arg->fd = fd;
	return 0;
}

static int fake_revoke(struct ccshm_ioc_revoke *arg)
{
	bool by_fd = arg->flags & CCSHM_REVOKE_BY_FD;
	struct object *object = object_of(arg->id);
	struct file *file;

	if (arg->flags & ~(CCSHM_REVOKE_FORCE | CCSHM_REVOKE_SEAL |
			   CCSHM_REVOKE_ORDERLY | CCSHM_REVOKE_BY_FD) ||
	    arg->reserved || arg->deadline_ns < -1)
		return -EINVAL;
	if (by_fd ? arg->id != 0 : arg->fd != 0)
		return -EINVAL;
	if (arg->flags & CCSHM_REVOKE_FORCE && arg->flags & CCSHM_REVOKE_ORDERLY)
		return -EINVAL;
	if (by_fd) {
		file = file_of(arg->fd);
		if (!file)
			return -EBADF;
		if (file->kind != DMABUF && file->kind != ATTACHMENT)
			return -EMEDIUMTYPE;
		object = &objects[file->object];
	}
	if (!object)
		return -ENOENT;
	if (fake.no_control)
		return -EPERM;
	if (arg->flags & CCSHM_REVOKE_FORCE && fake.no_rawio)
		return -EPERM;
	if (arg->flags & CCSHM_REVOKE_SEAL)
		buffer_of(object)->query.query_flags |= CCSHM_QUERY_SEALED;
	if (fake.revoke_interrupts) {
		fake.revoke_interrupts--;
		/* The ABI leaves the results undefined in this case. */
		arg->state = 99;
		arg->device_mappings = 99;
		arg->pages = 99;
		return -EINTR;
	}
	if (!fake.revoke_error)
		object->query.state = CCSHM_STATE_REVOKED;
	else
		fake_revoking(object->query.object_id);
	arg->state = fake.revoke.state;
	arg->device_mappings = fake.revoke.device_mappings;
	arg->pages = fake.revoke.pages;
	arg->revoked = fake.revoke.revoked;
	arg->stopped = fake.revoke.stopped;
	return fake.revoke_error;
}

/* Find the source of an attachment: a buffer, or an export and its buffer. */
static int attach_source(const struct ccshm_ioc_attach *arg,
			 struct object **buffer, struct object **export)
{
	struct file *file;

	*export = NULL;
	if (!(arg->flags & CCSHM_ATTACH_DMABUF)) {
		*buffer = object_of(arg->id);
		return *buffer && (*buffer)->type == CCSHM_TYPE_BUFFER ? 0 : -ENOENT;
	}
	file = file_of(arg->dmabuf_fd);
	if (!file)
		return -EBADF;
	if (file->kind != DMABUF)
		return -EMEDIUMTYPE;
	*export = &objects[file->object];
	*buffer = buffer_of(*export);
	return (*export)->query.state == CCSHM_STATE_ACTIVE ? 0 : -ENODEV;
}

static int attach_check(const struct ccshm_ioc_attach *arg)
{
	if (arg->flags & ~(CCSHM_ATTACH_DMABUF | CCSHM_ATTACH_PERSISTENT) ||
	    arg->reserved || arg->dma_bits > 64 ||
	    !text_ok(arg->device, sizeof(arg->device)) ||
	    strncmp(arg->device, "pci:", 4))
		return -EINVAL;
	if (arg->flags & CCSHM_ATTACH_DMABUF ? arg->id != 0 : arg->dmabuf_fd != 0)
		return -EINVAL;
	if (fake.no_rawio)
		return -EPERM;
	return strcmp(arg->device, FAKE_DEVICE) ? -ENODEV : 0;
}

static int fake_attach(struct ccshm_ioc_attach *arg)
{
	bool persistent = arg->flags & CCSHM_ATTACH_PERSISTENT;
	struct object *buffer, *export, *attachment;
	uint64_t size = arg->size;
	struct file *file;
	int ret = attach_check(arg);

	if (!ret)
		ret = attach_source(arg, &buffer, &export);
	if (ret)
		return ret;
	if (slice(export ? export->query.size : buffer->query.size, arg->offset,
		  &size))
		return -EINVAL;
	if (persistent && !(buffer->query.object_flags & CCSHM_ALLOC_PERSISTENT))
		return -EINVAL;
	if (fake.no_control && buffer->query.query_flags & CCSHM_QUERY_SEALED)
		return -EPERM;
	arg->fd = -1;
	if (!persistent) {
		arg->fd = file_new(ATTACHMENT, &file);
		if (arg->fd < 0)
			return arg->fd;
	}
	attachment = object_new(CCSHM_TYPE_ATTACHMENT);
	if (!persistent)
		file->object = (unsigned int)(attachment - objects);
	attachment->query.object_flags = arg->flags;
	attachment->query.buffer_id = buffer->query.object_id;
	attachment->query.export_id = export ? export->query.object_id : 0;
	attachment->query.offset =
		arg->offset + (export ? export->query.offset : 0);
	attachment->query.size = size;
	attachment->query.device_mappings = 1;
	attachment->query.dma_bits = arg->dma_bits ? arg->dma_bits : 32;
	/* One segment per page, to test many segments. */
	attachment->query.segments = (uint32_t)(size / PAGE);
	memcpy(attachment->query.device, arg->device, sizeof(arg->device));
	buffer->query.attachments++;
	arg->attachment_id = attachment->query.object_id;
	arg->actual_size = size;
	arg->segments = attachment->query.segments;
	return 0;
}

/* Find the attachment of a call on /dev/ccshm or on the attachment's file. */
static int attachment_find(const struct file *file, uint64_t id,
			   struct object **attachment)
{
	if (file->kind == ATTACHMENT) {
		*attachment = &objects[file->object];
		return id && id != (*attachment)->query.object_id ? -EINVAL : 0;
	}
	if (fake.no_rawio)
		return -EPERM;
	*attachment = object_of(id);
	return *attachment && (*attachment)->type == CCSHM_TYPE_ATTACHMENT ?
	       0 : -ENOENT;
}

static int fake_segments(const struct file *file,
			 struct ccshm_ioc_segments *arg)
{
	struct ccshm_ioc_segment *out =
		(struct ccshm_ioc_segment *)(uintptr_t)arg->segments;
	struct object *attachment;
	int ret;

	if (arg->flags)
		return -EINVAL;
	ret = attachment_find(file, arg->id, &attachment);
	if (ret)
		return ret;
	if (attachment->query.state != CCSHM_STATE_ACTIVE)
		return -ENODEV;
	arg->total = attachment->query.segments;
	if (arg->first > arg->total)
		return -EINVAL;
	arg->count = 0;
	while (arg->count < arg->capacity &&
	       arg->first + arg->count < arg->total) {
		uint64_t index = arg->first + arg->count++;

		out->dma_address = 0x100000000ULL + index * 2 * PAGE;
		out->length = PAGE;
		out->offset = index * PAGE;
		out++;
	}
	return 0;
}

static void attachment_end(struct object *attachment)
{
	struct object *buffer = buffer_of(attachment);

	buffer->query.attachments--;
	memset(attachment, 0, sizeof(*attachment));
	collect();
}

static int fake_detach(const struct file *file, struct ccshm_ioc_detach *arg)
{
	struct object *attachment;
	int ret;

	if (arg->flags)
		return -EINVAL;
	ret = attachment_find(file, arg->id, &attachment);
	if (ret)
		return ret;
	/* An attachment with a file exists until the file is closed. */
	if (file->kind == ATTACHMENT ||
	    !(attachment->query.object_flags & CCSHM_ATTACH_PERSISTENT))
		attachment->query.state = CCSHM_STATE_REVOKED;
	else
		attachment_end(attachment);
	return 0;
}

static int fake_importers(struct ccshm_ioc_importers *arg)
{
	struct ccshm_ioc_importer *out =
		(struct ccshm_ioc_importer *)(uintptr_t)arg->importers;
	struct object *export = object_of(arg->id);

	if (arg->flags)
		return -EINVAL;
	if (!export || export->type != CCSHM_TYPE_EXPORT)
		return -ENOENT;
	arg->total = fake.nr_importers;
	if (arg->first > arg->total)
		return -EINVAL;
	arg->count = 0;
	while (arg->count < arg->capacity && arg->first + arg->count < arg->total) {
		*out++ = fake.importers[arg->first + arg->count];
		arg->count++;
	}
	fake.nr_importers += fake.importers_come;
	return 0;
}

static int fake_device(struct ccshm_ioc_device *arg)
{
	static const char *const buses[] = { "pci:", "platform:", "virtio:" };
	bool known = false;
	size_t i;

	for (i = 0; i < sizeof(buses) / sizeof(buses[0]); i++)
		known |= !strncmp(arg->device, buses[i], strlen(buses[i]));
	if (arg->flags || !known || !text_ok(arg->device, sizeof(arg->device)))
		return -EINVAL;
	for (i = 0; i < FAKE_DEVICES; i++) {
		if (!strcmp(fake.devices[i].device, arg->device)) {
			*arg = fake.devices[i];
			return 0;
		}
	}
	return -ENODEV;
}

/* PAGES: each page is a run; odd pages are carved. */
static int fake_pages(struct ccshm_ioc_pages *arg)
{
	struct ccshm_ioc_run *out =
		(struct ccshm_ioc_run *)(uintptr_t)arg->runs;
	struct object *buffer = object_of(arg->id);
	uint64_t end;

	if (arg->flags || !arg->capacity)
		return -EINVAL;
	if (!buffer || buffer->type != CCSHM_TYPE_BUFFER)
		return -ENOENT;
	if (arg->offset % PAGE || arg->size % PAGE ||
	    arg->offset >= buffer->query.size ||
	    arg->size > buffer->query.size - arg->offset)
		return -EINVAL;
	end = arg->size ? arg->offset + arg->size : buffer->query.size;
	arg->count = 0;
	for (arg->next = arg->offset;
	     arg->next < end && arg->count < arg->capacity;
	     arg->next += PAGE, arg->count++) {
		bool odd = arg->next / PAGE % 2;

		*out++ = (struct ccshm_ioc_run){
			.offset = arg->next,
			.length = PAGE,
			.physical = fake.no_admin ? 0 :
				    0x100000000ULL + 2 * arg->next,
			.state = CCSHM_PAGE_SHARED,
			.flags = odd ? CCSHM_PAGES_CARVED :
				       CCSHM_PAGES_LEAF_WHOLE,
		};
	}
	return 0;
}

static bool looks(unsigned long request)
{
	return request == CCSHM_IOC_INFO || request == CCSHM_IOC_OPEN ||
	       request == CCSHM_IOC_QUERY || request == CCSHM_IOC_IMPORTERS ||
	       request == CCSHM_IOC_PAGES || request == CCSHM_IOC_DEVICE;
}

static int driver_ioctl(int fd, struct file *file, unsigned long request,
			void *arg)
{
	if (file->kind == DRIVER && file->read_only && !looks(request))
		return -EBADF;
	if (request == CCSHM_IOC_SEGMENTS)
		return fake_segments(file, arg);
	if (request == CCSHM_IOC_DETACH)
		return fake_detach(file, arg);
	if (file->kind != DRIVER)
		return -ENOTTY;
	switch (request) {
	case CCSHM_IOC_INFO:
		return fake_info(arg);
	case CCSHM_IOC_ALLOC:
		return fake_alloc(fd, arg);
	case CCSHM_IOC_FREE:
		return fake_free(arg);
	case CCSHM_IOC_OPEN:
		return fake_find(arg);
	case CCSHM_IOC_QUERY:
		return fake_query(arg);
	case CCSHM_IOC_EXPORT:
		return fake_export(arg);
	case CCSHM_IOC_REVOKE:
		return fake_revoke(arg);
	case CCSHM_IOC_ATTACH:
		return fake_attach(arg);
	case CCSHM_IOC_IMPORTERS:
		return fake_importers(arg);
	case CCSHM_IOC_PAGES:
		return fake_pages(arg);
	case CCSHM_IOC_DEVICE:
		return fake_device(arg);
	case CCSHM_IOC_SET:
		return fake_set(arg);
	default:
		return -ENOTTY;
	}
}

/* ------------------------------------------------------------------------- */
/* The seam                                                                  */
/* ------------------------------------------------------------------------- */

static int seam_ioctl(int fd, unsigned long request, void *arg)
{
	size_t size = _IOC_SIZE(request);
	struct file *file;
	char copy[512];
	int ret;

	ck_assert_uint_le(size, sizeof(copy));
	/* Copy the whole structure, as the kernel does. */
	memcpy(copy, arg, size);

	pthread_mutex_lock(&lock);
	memcpy(&fake.got, copy, size);
	fake.got_request = request;
	fake.got_fd = fd;
	ret = fake_enter(FAKE_IOCTL);
	if (!ret && failing_error && failing_request == request) {
		ret = failing_error;
		failing_error = 0;
	}
	file = file_of(fd);
	if (!ret && !file)
		ret = -EBADF;
	if (!ret)
		ret = driver_ioctl(fd, file, request, copy);
	pthread_mutex_unlock(&lock);

	/* The ABI leaves the outputs of a failed call undefined, except those of REVOKE. */
	if (!ret || request == CCSHM_IOC_REVOKE)
		memcpy(arg, copy, size);
	return ret;
}

static int seam_open(const char *path, int flags)
{
	struct file *file = NULL;
	int ret;

	ck_assert_str_eq(path, CCSHM_DEVICE);
	ck_assert(flags & O_CLOEXEC);
	pthread_mutex_lock(&lock);
	ret = fake_enter(FAKE_OPEN);
	if (!ret && fake.no_access)
		ret = -EACCES;
	if (!ret)
		ret = fake.no_driver ? -ENOENT : file_new(DRIVER, &file);
	if (ret >= 0)
		file->read_only = (flags & O_ACCMODE) == O_RDONLY;
	pthread_mutex_unlock(&lock);
	return ret;
}

static void close_driver(int fd)
{
	int i;

	for (i = 0; i < MAX_OBJECTS; i++)
		if (objects[i].type == CCSHM_TYPE_BUFFER && objects[i].file == fd)
			objects[i].ended = true;
	collect();
}

static void close_dmabuf(struct file *file)
{
	struct object *export = &objects[file->object];

	buffer_of(export)->query.exports--;
	memset(export, 0, sizeof(*export));
	collect();
}

static int seam_close(int fd)
{
	struct file *file;
	int ret;

	pthread_mutex_lock(&lock);
	file = file_of(fd);
	/* The descriptor must be open. */
	ck_assert_ptr_nonnull(file);
	ret = fake_enter(FAKE_CLOSE);
	switch (file->kind) {
	case DRIVER:
		close_driver(fd);
		break;
	case MEMFD:
		/* Keep the memory until the teardown: mappings may still use it. */
		break;
	case DMABUF:
		close_dmabuf(file);
		break;
	case ATTACHMENT:
		attachment_end(&objects[file->object]);
		break;
	case SOCKET:
	case CLOSED:
		break;
	}
	file->kind = CLOSED;
	pthread_mutex_unlock(&lock);
	return ret;
}

static int map_file(const struct file *file, size_t size, int prot,
		    off_t offset, void **address)
{
	const struct object *export;

	if (file->kind == MEMFD) {
		if ((uint64_t)offset + size > file->size)
			return -EINVAL;
		*address = file->memory + offset;
		return 0;
	}
	if (file->kind != DMABUF)
		return -ENODEV;
	export = &objects[file->object];
	if (export->query.state != CCSHM_STATE_ACTIVE)
		return -ENODEV;
	if (export->query.object_flags & CCSHM_EXPORT_NO_CPU ||
	    (export->query.object_flags & CCSHM_EXPORT_READ_ONLY &&
	     prot & PROT_WRITE))
		return -EACCES;
	if ((uint64_t)offset + size > export->query.size)
		return -EINVAL;
	*address = buffer_of(export)->memory + export->query.offset + offset;
	return 0;
}

static int seam_mmap(size_t size, int prot, int flags, int fd, off_t offset,
		     void **address)
{
	struct file *file;
	int i, ret;

	pthread_mutex_lock(&lock);
	fake.mmap_hint = *address;
	fake.mmap_size = size;
	fake.mmap_prot = prot;
	fake.mmap_flags = flags;
	fake.mmap_offset = offset;
	file = file_of(fd);
	ret = fake_enter(FAKE_MMAP);
	if (!ret)
		ret = file ? map_file(file, size, prot, offset, address) : -EBADF;
	for (i = 0; !ret && i < MAX_MAPPINGS; i++) {
		if (mappings[i].address)
			continue;
		mappings[i].address = *address;
		mappings[i].size = size;
		break;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

static int seam_place(size_t size, size_t align, size_t phase, void **address)
{
	pthread_mutex_lock(&lock);
	fake.place_size = size;
	fake.place_align = align;
	fake.place_phase = phase;
	fake.places++;
	*address = fake.place;
	pthread_mutex_unlock(&lock);
	return fake.place ? 0 : -ENOMEM;
}

static int seam_munmap(void *address, size_t size)
{
	int i, ret;

	pthread_mutex_lock(&lock);
	ret = fake_enter(FAKE_MUNMAP);
	for (i = 0; i < MAX_MAPPINGS; i++)
		if (mappings[i].address == address && mappings[i].size == size)
			break;
	/* The range must be exactly one mapping. */
	ck_assert_int_lt(i, MAX_MAPPINGS);
	mappings[i].address = NULL;
	collect();
	pthread_mutex_unlock(&lock);
	return ret;
}

static int seam_memfd(const char *name)
{
	int ret;

	ck_assert_uint_gt(strlen(name), 0);
	pthread_mutex_lock(&lock);
	ret = fake_enter(FAKE_MEMFD);
	if (!ret)
		ret = file_new(MEMFD, NULL);
	pthread_mutex_unlock(&lock);
	return ret;
}

/* Bytes that a memfd can have. */
#define MEMFD_MAX	((off_t)64 << 20)

/* A call that gets a signal allocates nothing, as in shmem_fallocate(). */
static int seam_reserve(int fd, off_t offset, off_t size)
{
	struct file *file = file_of(fd);
	int ret = fake_enter(FAKE_RESERVE);
	char *memory;

	if (ret)
		return ret;
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(file->kind, MEMFD);
	/* Each byte is reserved once. */
	ck_assert_int_eq(offset, (off_t)file->size);
	if (fake.reserve_signal && size > fake.reserve_signal) {
		/* Without progress the caller would repeat the call indefinitely. */
		ck_assert_uint_lt(fake.count[FAKE_RESERVE], 10000);
		return -EINTR;
	}
	if (size > MEMFD_MAX - offset)
		return -ENOSPC;
	memory = memory_new((uint64_t)(offset + size));
	if (file->memory)
		memcpy(memory, file->memory, file->size);
	free(file->memory);
	file->memory = memory;
	file->size = (uint64_t)(offset + size);
	return 0;
}

static int seam_now(int64_t *ns)
{
	int ret = fake_enter(FAKE_NOW);

	if (!ret)
		*ns = fake.now;
	return ret;
}

static int seam_user(const char *name, uid_t *uid)
{
	int ret = fake_enter(FAKE_USER);

	if (ret)
		return ret;
	if (!strcmp(name, "me"))
		*uid = FAKE_UID;
	else if (!strcmp(name, "other"))
		*uid = FAKE_OTHER_UID;
	else
		return -ENOENT;
	return 0;
}

static int seam_cpuid(uint32_t leaf, struct ccshm_cpuid *out)
{
	int ret = fake_enter(FAKE_CPUID);
	unsigned int i;

	if (ret)
		return ret;
	memset(out, 0, sizeof(*out));
	for (i = 0; i < sizeof(fake.cpuid) / sizeof(fake.cpuid[0]); i++) {
		if (fake.cpuid_leaf[i] == leaf) {
			*out = fake.cpuid[i];
			return 0;
		}
	}
	/* Real processors return undefined values for unsupported leaves. */
	memset(out, 0xff, sizeof(*out));
	return 0;
}

const struct ccshm_seam fake_seam = {
	.open = seam_open,
	.close = seam_close,
	.ioctl = seam_ioctl,
	.mmap = seam_mmap,
	.place = seam_place,
	.munmap = seam_munmap,
	.memfd = seam_memfd,
	.reserve = seam_reserve,
	.now = seam_now,
	.user = seam_user,
	.cpuid = seam_cpuid,
	.netlink = fake_netlink_open,
	.send = fake_netlink_send,
	.receive = fake_netlink_receive,
	.join = fake_netlink_join,
};

/* ------------------------------------------------------------------------- */
/* The interface of the tests                                                */
/* ------------------------------------------------------------------------- */

int fake_socket(void)
{
	return file_new(SOCKET, NULL);
}

const struct ccshm_ioc_query *fake_object(unsigned int index)
{
	unsigned int i;

	for (i = 0; i < MAX_OBJECTS; i++)
		if (objects[i].type && !index--)
			return &objects[i].query;
	return NULL;
}

void fake_setup(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(failures, 0, sizeof(failures));
	memset(files, 0, sizeof(files));
	memset(objects, 0, sizeof(objects));
	memset(mappings, 0, sizeof(mappings));
	failing_error = 0;
	last_id = 0;
	fake_netlink_clear();
	fake.abi_version = CCSHM_ABI_VERSION;
	fake.abi_oldest = CCSHM_ABI_OLDEST;
	fake.generation = 1;
	fake.now = 1000000000;
	fake.revoke.state = CCSHM_STATE_REVOKED;
	fake.cpuid_leaf[0] = 0;
	fake.cpuid[0].eax = 0x16;
	fake.cpuid_leaf[1] = 1;
	fake.cpuid_leaf[2] = 0x80000000;
	fake.cpuid[2].eax = 0x80000008;
	fake.cpuid_leaf[3] = 0x40000000;
}

void fake_teardown(void)
{
	unsigned int i;

	ck_assert_uint_eq(fake_files(), 0);
	ck_assert_uint_eq(fake_mappings(), 0);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_EXPORT), 0);
	fake_netlink_clear();
	for (i = 0; i < MAX_FILES; i++)
		free(files[i].memory);
	/* Persistent buffers still exist after their handles were closed. */
	for (i = 0; i < MAX_OBJECTS; i++)
		free(objects[i].memory);
}

void fake_plain_machine(void)
{
	fake.no_driver = true;
}

struct ccshm *fake_handle(void)
{
	struct ccshm *handle;

	ck_assert_int_eq(ccshm_open_seam(&fake_seam, 0, &handle), 0);
	return handle;
}

struct ccshm_buffer *fake_buffer(struct ccshm *handle, unsigned int pages)
{
	struct ccshm_buffer *buffer;

	ck_assert_int_eq(ccshm_buffer_alloc(handle, pages * PAGE, NULL, &buffer),
			 0);
	return buffer;
}

struct ccshm_buffer *fake_named(struct ccshm *handle, const char *name)
{
	struct ccshm_alloc_options *options;
	struct ccshm_buffer *buffer;

	ck_assert_int_eq(ccshm_alloc_options_new(&options), 0);
	ccshm_alloc_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, name), 0);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer), 0);
	ccshm_alloc_options_free(options);
	return buffer;
}

void *page_end(size_t size)
{
	size_t whole = (size + PAGE - 1) / PAGE * PAGE;
	char *start = mmap(NULL, whole + PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(start, MAP_FAILED);
	ck_assert_int_eq(mprotect(start + whole, PAGE, PROT_NONE), 0);
	return start + whole - size;
}

TCase *unit_case(Suite *suite, const char *name)
{
	TCase *made = tcase_create(name);

	tcase_add_checked_fixture(made, fake_setup, fake_teardown);
	suite_add_tcase(suite, made);
	return made;
}

int unit_main(const char *name, void (*add)(Suite *suite))
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	add(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
