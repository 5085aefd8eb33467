// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library while the host changes bytes of shared pages at random times (cvm_flip()): what the
 * library reports of an object never depends on the bytes in it, no call fails, no access of
 * a mapping gets a signal, and no page is shared but those of buffers. hostile.sh tests
 * ccshmctl and the examples.
 *
 * hostile.seed=N in the kernel's command line sets the seed.
 *
 * vm-modules: ccshm
 * vm-flavours: sev snp tdx cca
 * vm-matrix: once
 * vm-timeout: 240
 * vm-variant: smp flavours=snp,tdx,cca cpus=2 matrix=last
 */
#include <ccshm.h>

#include "attached.h"
#include "device.h"

#define ROUNDS		12
#define WORDS		128		/* that the host changes at each exit */
#define PRIVATE		(8 * MIB)
#define NAME		"hostile-lib"
#define MANY		16		/* more than the lists and buffers have here */
#define LEAST_SEEN	1000		/* changed words in all rounds, else there is no evidence */

/* What must not depend on the bytes of a buffer. */
struct facts {
	struct {
		uint64_t id, offset, size, flags, charged, carved, blocks, units;
		uid_t owner, payer;
		gid_t group;
		mode_t mode;
		uint32_t type, state, exports, attachments, segments;
		char name[64], device[64];
	} status[3];			/* of the buffer, the export, and the attachment */
	struct ccshm_segment segments[MANY];
	struct ccshm_run runs[MANY];
	uint64_t export_size, mapped, mapping_size, mapping_id, buffer_id, buffer_size;
	uint64_t list_buffers, list_exports;
	const void *address;
};

/* A buffer with an export, a mapping of the export, and an attachment of a device. */
struct object {
	struct ccshm_buffer *buffer;
	struct ccshm_export *export;
	struct ccshm_mapping *mapping;
	struct ccshm_attachment *attachment;
	size_t size;
};

static struct ccshm *handle;
static uint64_t seed, rig_before, seen;
static pid_t attacker;

/* Start a process that makes exits at random times, at which the host changes bytes. */
static void attack(void)
{
	int parent = getpid();

	must(cvm_flip(seed, WORDS));
	attacker = fork();
	if (attacker)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srandom((unsigned int)seed);
	while (getppid() == parent) {
		usleep((useconds_t)(random() % 1000));
		rig(CVM_EXITS);
	}
	_exit(0);
}

static void attack_end(void)
{
	cvm_flip_end();
	kill(attacker, SIGKILL);
	must(reap(attacker, 20000));
}

/* ---- what the library reports ---- */

static void status_facts(struct facts *f, int i, struct ccshm_status *s)
{
	f->status[i].id = ccshm_status_id(s);
	f->status[i].type = ccshm_status_type(s);
	f->status[i].state = ccshm_status_state(s);
	f->status[i].flags = ccshm_status_flags(s);
	f->status[i].offset = ccshm_status_offset(s);
	f->status[i].size = ccshm_status_size(s);
	f->status[i].charged = ccshm_status_charged(s);
	f->status[i].carved = ccshm_status_carved(s);
	f->status[i].blocks = ccshm_status_blocks(s);
	f->status[i].units = ccshm_status_units(s);
	f->status[i].owner = ccshm_status_owner(s);
	f->status[i].payer = ccshm_status_payer(s);
	f->status[i].group = ccshm_status_group(s);
	f->status[i].mode = ccshm_status_mode(s);
	f->status[i].exports = ccshm_status_exports(s);
	f->status[i].attachments = ccshm_status_attachments(s);
	f->status[i].segments = ccshm_status_segments(s);
	snprintf(f->status[i].name, sizeof(f->status[i].name), "%s", ccshm_status_name(s));
	snprintf(f->status[i].device, sizeof(f->status[i].device), "%s", ccshm_status_device(s));
	ccshm_status_free(s);
}

/* Return the sum of the sizes and ids of all listed objects of a type. */
static uint64_t list_facts(uint32_t type)
{
	struct ccshm_list *list;
	uint64_t sum = 0;

	if (must(ccshm_list_get(type, &list)))
		return 0;
	for (uint32_t i = 0; i < ccshm_list_count(list); i++)
		sum += ccshm_status_size(ccshm_list_status(list, i)) +
		       ccshm_status_id(ccshm_list_status(list, i));
	ccshm_list_free(list);
	return sum;
}

static void facts_of(const struct object *o, struct facts *f)
{
	struct ccshm_status *s;
	uint64_t next;

	memset(f, 0, sizeof(*f));
	if (!must(ccshm_buffer_status(o->buffer, &s)))
		status_facts(f, 0, s);
	if (!must(ccshm_export_status(o->export, &s)))
		status_facts(f, 1, s);
	if (!must(ccshm_attachment_status(o->attachment, &s)))
		status_facts(f, 2, s);
	must(ccshm_attachment_segments(o->attachment, 0, f->segments, MANY));
	must(ccshm_buffer_pages(o->buffer, 0, 0, f->runs, MANY, &next));
	f->buffer_id = ccshm_buffer_id(o->buffer);
	f->buffer_size = ccshm_buffer_size(o->buffer);
	f->export_size = ccshm_export_size(o->export);
	f->address = ccshm_mapping_address(o->mapping);
	f->mapping_size = ccshm_mapping_size(o->mapping);
	f->mapping_id = ccshm_mapping_export_id(o->mapping);
	f->list_buffers = list_facts(CCSHM_TYPE_BUFFER);
	f->list_exports = list_facts(CCSHM_TYPE_EXPORT);
}

/* ---- rounds ---- */

static int object_new(struct object *o, size_t size)
{
	struct ccshm_alloc_options *options;
	int err;

	memset(o, 0, sizeof(*o));
	o->size = size;
	must(ccshm_alloc_options_new(&options));
	ccshm_alloc_options_set_persistent(options, true);
	must(ccshm_alloc_options_set_name(options, NAME));
	ccshm_alloc_options_set_group(options, GID_CCSHM);
	ccshm_alloc_options_set_mode(options, 0640);
	err = ccshm_buffer_alloc(handle, size, options, &o->buffer);
	ccshm_alloc_options_free(options);
	if (!err)
		err = ccshm_export_create(o->buffer, 0, 0, 0, &o->export);
	if (!err)
		err = ccshm_export_map(o->export, 0, 0, RW, 0, &o->mapping);
	if (!err)
		err = ccshm_buffer_attach(o->buffer, PCI_A, NULL, &o->attachment);
	return err;
}

/*
 * Write words, wait, and count those that have changed. The bytes that a device copies meanwhile are
 * at the end of the first page, which is not compared.
 */
static uint64_t count_changed(volatile uint64_t *p, size_t size)
{
	uint64_t n = 0;

	for (size_t i = PAGE / 8; i < size / 8; i++)
		p[i] = stamp(1, i * 8);
	sleep_ms(10);
	for (size_t i = PAGE / 8; i < size / 8; i++)
		n += p[i] != stamp(1, i * 8);
	return n;
}

/* Make the device copy within the buffer. Return 0 or a negative errno. */
static int device_works(const struct object *o)
{
	struct ccshm_segment segment;
	struct edu edu;
	int err;

	must(ccshm_attachment_segments(o->attachment, 0, &segment, 1));
	device_start(&edu, EDU_A);
	err = device_copy(&edu, segment.dma_address, segment.dma_address + PAGE / 2, PAGE / 4);
	if (!err)
		err = edu_set_bus_master(&edu, false);
	edu_close(&edu);
	return err;
}

/* Wait up to 10 s until no list has an object: ended objects are listed until their memory has returned. */
static bool wait_unlisted(void)
{
	for (int i = 0; i < 1000; i++) {
		if (!list_facts(CCSHM_TYPE_BUFFER) && !list_facts(CCSHM_TYPE_EXPORT))
			return true;
		sleep_ms(10);
	}
	return false;
}

/*
 * End the object, and wait until no list has it any more. Return whether the
 * mapping got SIGBUS after the revoke, and nothing else.
 */
static bool object_end(struct object *o)
{
	char *p = ccshm_mapping_address(o->mapping);
	bool gone;

	must(ccshm_attachment_detach(o->attachment));
	must(ccshm_export_revoke(o->export, 1000000000, 0, NULL));
	gone = touch_all(p, o->size, SIGBUS);
	must(ccshm_buffer_free(o->buffer));
	ccshm_attachment_close(o->attachment);
	ccshm_mapping_close(o->mapping);
	ccshm_export_close(o->export);
	ccshm_buffer_close(o->buffer);
	must_be_true(wait_unlisted());
	return gone;
}

/* Return whether nothing has changed. */
static bool same_facts(const struct facts *before, const struct facts *after)
{
	const unsigned char *b = (const void *)before, *a = (const void *)after;

	for (size_t i = 0; i < sizeof(*before); i++) {
		if (a[i] == b[i])
			continue;
		diag("byte %zu of struct facts differs: %d was %d", i, a[i], b[i]);
		return false;
	}
	return true;
}

/* Return whether exactly the pages that INFO counts are shared, and may be changed. */
static bool only_buffers_shared(void)
{
	struct ccshm_info *info;
	uint64_t pages, shared, targets;

	if (must(ccshm_info_get(handle, &info)))
		return false;
	pages = ccshm_info_bytes_shared(info) / PAGE;
	ccshm_info_free(info);
	shared = rig(CVM_PAGES_SHARED) - rig_before;
	targets = rig(CVM_FLIP_TARGETS);
	if (pages == shared && pages == targets)
		return true;
	diag("INFO counts %" PRIu64 " shared pages, the emulator %" PRIu64 ", of which it changes %" PRIu64,
	     pages, shared, targets);
	return false;
}

static void one_round(size_t size)
{
	const char *name = size < MIB ? "small" : "large";
	struct facts before, after;
	struct object o;

	if (!is_errno(object_new(&o, size), 0, "%s: ALLOC, EXPORT, mmap and ATTACH: success", name))
		bail("there is no buffer");
	facts_of(&o, &before);
	is_str(before.status[0].name, NAME, "%s: the status has the name of the buffer", name);
	is_int(before.mapping_size, (long long)size, "%s: the mapping has the size of the buffer", name);
	seen += count_changed(ccshm_mapping_address(o.mapping), size);
	is_errno(device_works(&o), 0, "%s: the device copies", name);
	facts_of(&o, &after);
	ok(same_facts(&before, &after),
	   "%s: status, lists, pages, segments and mapping are as before", name);
	ok(only_buffers_shared(), "%s: exactly the pages that INFO counts are shared", name);
	ok(object_end(&o), "%s: the revoked mapping gets SIGBUS, and no other signal", name);
}

/* Map an anonymous buffer whole. Bail out if that fails. */
static struct ccshm_mapping *mapping_new(size_t size, struct ccshm_buffer **buffer)
{
	struct ccshm_mapping *mapping;

	if (must(ccshm_buffer_alloc(handle, size, NULL, buffer)) ||
	    must(ccshm_buffer_map(*buffer, 0, 0, PROT_READ, 0, &mapping)))
		bail("there is no buffer");
	return mapping;
}

static void buffer_end(struct ccshm_buffer *buffer, struct ccshm_mapping *mapping)
{
	ccshm_mapping_close(mapping);
	must(ccshm_buffer_free(buffer));
	ccshm_buffer_close(buffer);
}

/*
 * Let the host write to free pages of a block that stays shared, which were zeroed when their buffer
 * ended. The next buffer gets them zeroed again.
 */
static void test_zeroed_again(void)
{
	struct ccshm_buffer *keep, *buffer;
	struct ccshm_mapping *kept, *mapping;

	kept = mapping_new(64 * KIB, &keep);
	mapping = mapping_new(MIB, &buffer);
	buffer_end(buffer, mapping);
	sleep_ms(50);
	must(cvm_flip(seed, 0));
	ok(first_other(ccshm_mapping_address(kept), 0, 64 * KIB) >= 0,
	   "the host has written to the block that stays shared");
	mapping = mapping_new(MIB, &buffer);
	is_int(first_other(ccshm_mapping_address(mapping), 0, MIB), -1,
	       "the next buffer in a block that the host has written to reads zero");
	is_int(rig(CVM_PAGES_SHARED) - rig_before, UNIT / PAGE, "both buffers are in one block");
	buffer_end(buffer, mapping);
	buffer_end(keep, kept);
}

/* With a host that changes nothing, memory is zero again. */
static void test_zero_again(void)
{
	struct ccshm_buffer *buffer;
	struct ccshm_mapping *mapping = mapping_new(8 * MIB, &buffer);

	is_int(first_other(ccshm_mapping_address(mapping), 0, 8 * MIB), -1,
	       "a buffer that is allocated after the attack reads zero");
	buffer_end(buffer, mapping);
}

int main(void)
{
	uint64_t *private = aligned_alloc(PAGE, PRIVATE), flips;

	touch_init();
	seed = kernel_parameter("hostile.seed", 1);
	diag("hostile.seed=%" PRIu64, seed);
	rig_before = rig(CVM_PAGES_SHARED);
	stamp_write(private, 2, 0, PRIVATE);
	flips = rig(CVM_FLIPS);
	attack();
	driver_load();
	must(ccshm_open(0, &handle));
	for (int i = 0; i < ROUNDS; i++)
		one_round(i % 3 ? 64 * KIB : 3 * MIB);
	test_zeroed_again();
	ok(wait_rig_shared(rig_before), "all pages are private again");
	is_int((long long)rig(CVM_FLIP_TARGETS), 0, "the host can change no page any more");
	attack_end();
	diag("%" PRIu64 " words were changed, %" PRIu64 " of them were seen in mappings",
	     rig(CVM_FLIPS) - flips, seen);
	ok(seen >= LEAST_SEEN, "mappings show what the host has changed");
	ok(stamp_check(private, 2, 0, PRIVATE), "no private memory of the process has changed");
	test_zero_again();
	ccshm_close(handle);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	free(private);
	return done_testing();
}
