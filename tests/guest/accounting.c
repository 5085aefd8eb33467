// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounting that adds up: three users run ten thousand random operations. At intervals the suite
 * compares what the driver reports for each buffer, for each user, for each device and in total
 * with what exists, and with the pages that the emulator counts as shared.
 *
 * vm-matrix: once
 * vm-modules: ccshm importer
 * vm-boot: memory
 * vm-timeout: 300
 * vm-variant: snp flavours=snp cpus=2 kernels=6.12,7.3 matrix=last
 * vm-variant: tdx flavours=tdx cpus=2 matrix=last
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"
#include "users.h"
#include "netlink.h"

#define OPERATIONS	10000
#define EVERY		20
#define SEED		20261121ULL
#define USERS		3
#define SLOTS		16
#define LIMIT		(10 * MIB)	/* for each user; root is exempt */

static int dev, netlink;
static uint64_t rig_before, random_state = SEED;
static struct user *user[USERS];

/* The suite's record of a slot, in addition to that in struct user. */
struct slot {
	bool used, persistent, heap, revoked, mapped;
	uint64_t size, own, carved, block;	/* bytes; and the number of the carved block */
	int importer;			/* descriptor of root's importer, or -1 */
};

static struct slot slot[USERS][SLOTS];

static unsigned int random_below(unsigned int n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (random_state >> 33) % n;
}

/* Send an operation to a user. The suite itself acts as root. */
static int ask(int u, enum user_verb verb, int s)
{
	if (user[u]->peer.pid)
		return user_ask(user[u], verb, s);
	user[u]->slot = s;
	user[u]->verb = verb;
	return user_do(user[u], dev);
}

/* ---- operations ---- */

static int begin_user(int u)
{
	static const uid_t uid[USERS] = { ROOT, ALICE, BOB };

	user[u] = uid[u] == ROOT ? user_new(ROOT) :
				   user_start(uid[u], uid[u] == ALICE ? CAP(SYS_RAWIO) : 0);
	user[u]->device = PCI_B;
	for (int s = 0; s < SLOTS; s++)
		slot[u][s] = (struct slot){ .importer = -1 };
	return 0;
}

/*
 * Record the size of the buffer that @id names, and its carved block. @id is the id of an export
 * where the id of the buffer is unknown.
 */
static bool remember(struct slot *s, uint64_t id)
{
	struct ccshm_ioc_run run = { 0 };
	struct ccshm_ioc_query q;

	if (raw_query(dev, id, &q))
		return false;
	s->carved = q.carved;
	s->own = q.charged - q.carved;
	if (q.carved && q.query_flags & CCSHM_QUERY_CONTROL &&
	    raw_pages(dev, q.buffer_id, q.buffer_id == id ? q.size - q.carved : s->own, PAGE, &run,
		      1, NULL) == 1)
		s->block = run.physical / UNIT;
	return !q.carved == !s->block;
}

/* Return the export id of a heap's dma-buf, which only its fdinfo contains. */
static uint64_t heap_export(int dmabuf)
{
	char path[64], line[256];
	unsigned long long id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "exp_name:\tccshm:%llu", &id);
	if (f)
		fclose(f);
	return id;
}

/* Return 0 for EDQUOT of a user other than root, because the limit allows the error. */
static int allowed(int u, int err)
{
	return u && err == -EDQUOT ? 0 : err;
}

static int op_alloc(int u, int s)
{
	unsigned int kind = random_below(20);
	struct slot *sl = &slot[u][s];
	int err;

	user[u]->flags = 0;
	if (kind < 12)
		user[u]->size = (1 + random_below(64)) * PAGE;
	else if (kind < 18)
		user[u]->size = (1 + random_below(1400)) * PAGE;
	else
		user[u]->size = (1 + random_below(512)) * PAGE;
	if (kind == 18)
		user[u]->flags = CCSHM_ALLOC_CONTIGUOUS;
	if (kind % 3 == 1)
		user[u]->flags |= CCSHM_ALLOC_PERSISTENT;
	sl->persistent = user[u]->flags & CCSHM_ALLOC_PERSISTENT;
	sl->heap = kind == 19 && !u && !access(HEAP_NODE, F_OK);
	err = ask(u, sl->heap ? USER_HEAP : USER_ALLOC, s);
	if (err)
		return allowed(u, err);
	sl->used = true;
	sl->size = user[u]->size;
	if (sl->heap)
		user[u]->export_id[s] = heap_export(user[u]->dmabuf[s]);
	return remember(sl, sl->heap ? user[u]->export_id[s] : user[u]->id[s]) ? 0 : -ENODATA;
}

static int op_importer(int u, int s)
{
	struct slot *sl = &slot[u][s];
	int err;

	if (sl->importer >= 0) {
		err = close(sl->importer);
		sl->importer = -1;
		sl->mapped = false;
		return err;
	}
	if (sl->revoked)
		return 0;
	sl->importer = imp_open();
	err = imp_attach(sl->importer, user[u]->dmabuf[s], IMPORTER_DYNAMIC);
	if (!err && random_below(2)) {
		err = imp_map(sl->importer, IMPORTER_BIDIRECTIONAL);
		sl->mapped = !err;
	}
	return err;
}

static int op_revoke(int u, int s)
{
	bool attached = user[u]->attachment[s] >= 0;
	int err;

	/* An attached process has not yet released the buffer, so do not wait for it. */
	user[u]->deadline = attached ? 0 : in_ms(10000);
	err = ask(u, USER_REVOKE, s);
	if (user[u]->dmabuf[s] >= 0) {
		slot[u][s].revoked = true;
		slot[u][s].mapped = false;
	}
	return attached && err == -ETIMEDOUT ? 0 : err;
}

static int op_close(int u, int s)
{
	int err = 0;

	if (slot[u][s].importer >= 0)
		err = op_importer(u, s);
	if (user[u]->map[s])
		err = ask(u, USER_UNMAP, s) ?: err;
	slot[u][s].revoked = false;
	return ask(u, USER_CLOSE, s) ?: err;
}

/* Use a buffer through a dma-buf, an attachment, both, or neither. */
static int op_use(int u, int s)
{
	struct slot *sl = &slot[u][s];
	struct user *us = user[u];

	switch (random_below(8)) {
	case 0:
		return us->id[s] ? ask(u, USER_FREE, s) : 0;
	case 1:
	case 2:
		if (us->dmabuf[s] >= 0)
			return op_close(u, s);
		us->flags = 0;
		return us->id[s] ? ask(u, USER_EXPORT, s) : 0;
	case 3:
		if (us->map[s])
			return ask(u, USER_UNMAP, s);
		return us->dmabuf[s] >= 0 && !sl->revoked ? ask(u, USER_MAP, s) : 0;
	case 4:
		return us->id[s] ? op_revoke(u, s) : 0;
	case 5:
		if (us->attachment[s] >= 0)
			return ask(u, USER_DETACH, s);
		return us->id[s] && us->uid != BOB ? ask(u, USER_ATTACH, s) : 0;
	case 6:
		return !u && us->dmabuf[s] >= 0 ? op_importer(u, s) : 0;
	default:
		return us->id[s] && us->dmabuf[s] < 0 ? ask(u, USER_FREE, s) : 0;
	}
}

/* Kill the process of a user, which ends its anonymous objects. Free the other objects as root. */
static int op_die(int u)
{
	int err = 0;

	for (int s = 0; s < SLOTS; s++)
		if (slot[u][s].persistent && user[u]->id[s])
			err = raw_free(dev, user[u]->id[s]) ?: err;
	peer_must_end(&user[u]->peer, SIGKILL);
	munmap(user[u], sizeof(*user[u]));
	return begin_user(u) ?: err;
}

static bool is_empty(int u, int s)
{
	return !user[u]->id[s] && user[u]->dmabuf[s] < 0 && user[u]->attachment[s] < 0;
}

static int operation(void)
{
	int u = random_below(USERS), s = random_below(SLOTS), err;

	if (u && !random_below(400))
		return op_die(u);
	if (is_empty(u, s))
		return op_alloc(u, s);
	err = op_use(u, s);
	if (is_empty(u, s))
		slot[u][s] = (struct slot){ .importer = -1 };
	return err;
}

/* ---- expected sums ---- */

struct sums {
	uint64_t own, carved, blocks, bytes, attached, mapped;
	unsigned int buffers, exports, attachments, importers, mappings;
};

/* Return whether an object still holds the memory of the slot. */
static bool is_held(int u, int s)
{
	return user[u]->id[s] || user[u]->attachment[s] >= 0 ||
	       (user[u]->dmabuf[s] >= 0 && !slot[u][s].revoked);
}

static struct sums expected(int u)
{
	struct sums sum = { 0 };

	for (int s = 0; s < SLOTS; s++) {
		bool seen = false;

		if (is_empty(u, s))
			continue;
		sum.exports += user[u]->dmabuf[s] >= 0;
		sum.attachments += user[u]->attachment[s] >= 0;
		sum.importers += slot[u][s].importer >= 0;
		sum.mappings += slot[u][s].mapped;
		if (user[u]->attachment[s] >= 0)
			sum.attached += slot[u][s].size;
		if (slot[u][s].mapped)
			sum.mapped += slot[u][s].size;
		if (!is_held(u, s))
			continue;
		sum.buffers++;
		sum.own += slot[u][s].own;
		sum.carved += slot[u][s].carved;
		for (int k = 0; k < s; k++)
			seen |= is_held(u, k) && slot[u][k].carved && slot[u][k].block == slot[u][s].block;
		sum.blocks += slot[u][s].carved && !seen;
	}
	sum.bytes = sum.own + sum.blocks * UNIT;
	return sum;
}

/* Compare what INFO reports to a user with the sums. */
static bool user_right(int u, const struct sums *sum, bool report)
{
	const struct ccshm_ioc_info *i = &user[u]->info;

	must(ask(u, USER_INFO, 0));
	if (i->user_bytes == sum->bytes && i->user_buffers == sum->buffers &&
	    i->user_exports == sum->exports && i->user_attachments == sum->attachments &&
	    i->user_importers == sum->importers && !i->user_bytes_leaked)
		return true;
	if (report)
		diag("user %u: %llu bytes, expected %llu; %u buffers, expected %u; %u exports, "
		     "expected %u; %u attachments, expected %u; %u importers, expected %u",
		     user[u]->uid,
		     (unsigned long long)i->user_bytes, (unsigned long long)sum->bytes,
		     i->user_buffers, sum->buffers, i->user_exports, sum->exports,
		     i->user_attachments, sum->attachments, i->user_importers, sum->importers);
	return false;
}

/* Compare the totals that INFO reports to root, and the emulator's count, with the sums. */
static bool all_right(const struct sums *sum, bool report)
{
	uint64_t shared = rig(CVM_PAGES_SHARED) - rig_before;
	struct ccshm_ioc_info i;

	must(raw_info(dev, &i));
	if (i.bytes_shared == sum->bytes && i.used_bytes == sum->bytes &&
	    i.blocks_carved == sum->blocks && i.bytes_carved == sum->carved &&
	    i.buffers == sum->buffers && i.exports == sum->exports &&
	    i.attachments == sum->attachments && i.importers == sum->importers &&
	    !i.bytes_leaked && !i.bytes_quarantined &&
	    (!cvm_present() || shared * PAGE == sum->bytes))
		return true;
	if (report)
		diag("all: %llu bytes shared, %llu used, expected %llu; %llu by the emulator; "
		     "%llu of %llu carved, expected %llu of %llu; %u buffers, expected %u; "
		     "%u exports, expected %u; %u attachments, expected %u; %u importers, expected %u",
		     (unsigned long long)i.bytes_shared, (unsigned long long)i.used_bytes,
		     (unsigned long long)sum->bytes, (unsigned long long)shared * PAGE,
		     (unsigned long long)i.bytes_carved, (unsigned long long)i.blocks_carved,
		     (unsigned long long)sum->carved, (unsigned long long)sum->blocks,
		     i.buffers, sum->buffers, i.exports, sum->exports, i.attachments,
		     sum->attachments, i.importers, sum->importers);
	return false;
}

/* Add an attachment to the sums. Attachments use another device than importers. */
static void add_attachment(const struct nl_message *msg, void *arg)
{
	struct sums *sum = arg;

	if (strcmp(nl_text(msg, CCSHM_A_DEVICE), PCI_B))
		return;
	sum->attachments++;
	sum->attached += nl_number(msg, CCSHM_A_SIZE);
}

static void add_export(const struct nl_message *msg, void *arg)
{
	unsigned int mappings = nl_number(msg, CCSHM_A_DEVICE_MAPPINGS);
	struct sums *sum = arg;

	sum->exports++;
	sum->importers += msg->importers;
	sum->mappings += mappings;
	sum->mapped += mappings * nl_number(msg, CCSHM_A_SIZE);
}

/* Compare what the dumps report for each device with the sums. */
static bool devices_right(const struct sums *sum, bool report)
{
	struct sums dumped = { 0 };

	if (nl_dump(netlink, CCSHM_CMD_ATTACHMENT_GET, add_attachment, &dumped).end ||
	    nl_dump(netlink, CCSHM_CMD_EXPORT_GET, add_export, &dumped).end)
		return false;
	if (dumped.attachments == sum->attachments && dumped.attached == sum->attached &&
	    dumped.exports == sum->exports && dumped.importers == sum->importers &&
	    dumped.mappings == sum->mappings && dumped.mapped == sum->mapped)
		return true;
	if (report)
		diag("devices: %u attachments, expected %u, of %llu bytes, expected %llu; "
		     "%u exports, expected %u; %u importers, expected %u; "
		     "%u mappings, expected %u, of %llu bytes, expected %llu",
		     dumped.attachments, sum->attachments, (unsigned long long)dumped.attached,
		     (unsigned long long)sum->attached, dumped.exports, sum->exports,
		     dumped.importers, sum->importers, dumped.mappings, sum->mappings,
		     (unsigned long long)dumped.mapped, (unsigned long long)sum->mapped);
	return false;
}

static bool sums_right(bool report)
{
	struct sums all = { 0 }, sum;
	bool right = true;

	for (int u = 0; u < USERS; u++) {
		sum = expected(u);
		right &= user_right(u, &sum, report);
		all.bytes += sum.bytes;
		all.carved += sum.carved;
		all.blocks += sum.blocks;
		all.buffers += sum.buffers;
		all.exports += sum.exports;
		all.attachments += sum.attachments;
		all.importers += sum.importers;
		all.mappings += sum.mappings;
		all.attached += sum.attached;
		all.mapped += sum.mapped;
	}
	right &= devices_right(&all, report);
	return all_right(&all, report) && right;
}

/* Wait up to 10 s until the sums are right: a work item returns the memory of ended objects. */
static bool sums_get_right(void)
{
	for (int i = 0; i < 5000; i++) {
		if (sums_right(false))
			return true;
		sleep_ms(2);
	}
	return sums_right(true);
}

/*
 * Count the buffers for which QUERY reports other sizes, another payer, or other numbers of exports
 * and attachments than the suite's records.
 */
static unsigned int buffers_wrong(void)
{
	unsigned int wrong = 0;

	for (int u = 0; u < USERS; u++) {
		for (int s = 0; s < SLOTS; s++) {
			struct ccshm_ioc_query q;

			if (!user[u]->id[s])
				continue;
			wrong += raw_query(dev, user[u]->id[s], &q) ||
				 q.charged != slot[u][s].own + slot[u][s].carved ||
				 q.carved != slot[u][s].carved || q.payer != user[u]->uid ||
				 q.exports != (user[u]->dmabuf[s] >= 0) ||
				 q.attachments != (user[u]->attachment[s] >= 0);
		}
	}
	return wrong;
}

/* ---- the test ---- */

static void test_random(void)
{
	unsigned int failed = 0, wrong = 0, buffers = 0, looks = 0, shared = 0, refused;
	unsigned int mapped = 0, attached = 0;
	struct ccshm_ioc_info info;

	diag("seed %llu", SEED);
	for (int i = 0; i < OPERATIONS && failed < 5 && wrong < 3; i++) {
		int err = operation();

		if (err) {
			diag("operation %d: %s", i, tap_errno_name(err));
			failed++;
		}
		if (i % EVERY != EVERY - 1)
			continue;
		looks++;
		if (!sums_get_right()) {
			diag("after operation %d", i);
			wrong++;
		}
		buffers += buffers_wrong();
		must(raw_info(dev, &info));
		shared += info.bytes_shared > 8 * UNIT;
		mapped += info.importers > 0;
		attached += info.attachments > 0;
	}
	refused = info.refusals;
	is_int(failed, 0, "all %d operations return the expected results", OPERATIONS);
	is_int(wrong, 0,
	       "%u samples: users, totals, devices and the emulator's counts agree", looks);
	is_int(buffers, 0, "the sampled buffers' counts are as expected");
	ok(shared > looks / 2, "at least half of the samples had shared memory (%u)", shared);
	ok(mapped > looks / 4 && attached > looks / 2,
	   "enough samples had device mappings and attachments (%u, %u)", mapped,
	   attached);
	ok(refused > 10, "ALLOC was refused by the limit more than 10 times (%u)", refused);
}

static void end_all(void)
{
	for (int u = 0; u < USERS; u++) {
		for (int s = 0; s < SLOTS; s++) {
			if (user[u]->attachment[s] >= 0)
				must(ask(u, USER_DETACH, s));
			if (user[u]->dmabuf[s] >= 0)
				must(op_close(u, s));
			if (user[u]->id[s])
				must(ask(u, USER_FREE, s));
			slot[u][s] = (struct slot){ .importer = -1 };
		}
	}
	ok(sums_get_right(), "after the users have ended: nothing is charged to them");
	for (int u = 1; u < USERS; u++)
		user_end(user[u]);
}

int main(void)
{
	char limit[32];
	int fd;

	driver_load();
	touch_init();
	importer_load();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	netlink = nl_socket();
	if (nl_find_family(netlink))
		bail("there is no netlink family");
	rig_before = rig(CVM_PAGES_SHARED);
	fd = open("/sys/class/misc/ccshm/limit_user_bytes", O_WRONLY | O_CLOEXEC);
	snprintf(limit, sizeof(limit), "%lu", LIMIT);
	if (fd < 0 || write(fd, limit, strlen(limit)) < 0)
		bail("the limit cannot be set: %s", strerror(errno));
	close(fd);
	for (int u = 0; u < USERS; u++)
		must(begin_user(u));
	test_random();
	end_all();
	ok(wait_clean(dev), "after the operations: no object is left");
	importer_unload();
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	ok(wait_rig_shared(rig_before), "after the unloading: no page is shared");
	return done_testing();
}
