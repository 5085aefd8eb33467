// SPDX-License-Identifier: GPL-2.0-only
#include "sums.h"
#include "device.h"

struct totals {
	unsigned int buffers, exports, attachments;
	uint64_t own, carved, user;
};

static int add_objects(int dev, struct totals *t, uint32_t type, unsigned int *count)
{
	struct ccshm_ioc_query q = { 0 };
	int err;

	while (!(err = raw_query_next(dev, type, q.object_id, &q))) {
		++*count;
		if (type == CCSHM_TYPE_BUFFER) {
			t->own += q.charged - q.carved;
			t->carved += q.carved;
		}
	}
	return err;
}

/* Add what each user is charged. Change the effective user for that. */
static void add_users(int dev, struct totals *t)
{
	static const uid_t uid[] = { ROOT, ALICE, BOB, MALLORY };
	struct ccshm_ioc_info info;

	for (size_t i = 0; i < sizeof(uid) / sizeof(uid[0]); i++) {
		must(seteuid(uid[i]));
		must(raw_info(dev, &info));
		must(seteuid(ROOT));
		t->user += info.user_bytes;
	}
}

static void (*wrong)(const char *what, uint64_t a, uint64_t b);

static bool equal(const char *what, uint64_t a, uint64_t b)
{
	if (a != b && wrong)
		wrong(what, a, b);
	return a == b;
}

bool sums_equal(int dev, uint64_t rig_before,
		void (*report)(const char *what, uint64_t a, uint64_t b))
{
	struct ccshm_ioc_info i, after;
	struct totals t = { 0 };
	uint64_t shared;
	bool good;

	wrong = report;
	must(raw_info(dev, &i));
	good = equal("the last QUERY of a buffer, ENOENT",
		     -add_objects(dev, &t, CCSHM_TYPE_BUFFER, &t.buffers), ENOENT) &
	       equal("the last QUERY of an export, ENOENT",
		     -add_objects(dev, &t, CCSHM_TYPE_EXPORT, &t.exports), ENOENT) &
	       equal("the last QUERY of an attachment, ENOENT",
		     -add_objects(dev, &t, CCSHM_TYPE_ATTACHMENT, &t.attachments), ENOENT);
	add_users(dev, &t);
	shared = rig(CVM_PAGES_SHARED) - rig_before;
	must(raw_info(dev, &after));
	good &= equal("generation", i.generation, after.generation) &
		equal("buffers", i.buffers, t.buffers) &
		equal("exports", i.exports, t.exports) &
		equal("attachments", i.attachments, t.attachments) &
		equal("used bytes, bytes shared and in quarantine", i.used_bytes,
		      i.bytes_shared + i.bytes_quarantined) &
		equal("used bytes, charges of users", i.used_bytes + i.bytes_leaked, t.user) &
		equal("carved bytes", i.bytes_carved, t.carved) &
		equal("used bytes, blocks of buffers and carved blocks", i.used_bytes,
		      t.own + i.blocks_carved * UNIT + i.bytes_quarantined);
	if (cvm_present() && !i.bytes_quarantined && !i.bytes_leaked)
		good &= equal("pages that the emulator counts", shared * PAGE, i.bytes_shared);
	return good;
}

bool sums_settle(int dev, uint64_t rig_before,
		 void (*report)(const char *what, uint64_t a, uint64_t b))
{
	for (int i = 0; i < 1000; i++) {
		if (sums_equal(dev, rig_before, NULL))
			return true;
		sleep_ms(10);
	}
	return sums_equal(dev, rig_before, report);
}

int limit_set(enum limit limit, const char *value)
{
	static const char *const names[LIMITS] = {
		"limit_total_bytes", "limit_user_bytes", "limit_user_buffers", "limit_user_exports",
	};
	char path[80];

	snprintf(path, sizeof(path), "/sys/class/misc/ccshm/%s", names[limit]);
	return write_text(path, value);
}
