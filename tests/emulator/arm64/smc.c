// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware calls of the guest. PSCI calls are passed to QEMU, except that a new CPU starts in
 * the emulator. The Realm Services Interface is emulated. Other calls are not supported.
 */
#include "arm64.h"

#define NOT_SUPPORTED		(~0ull)
#define SMCCC_VERSION		0x80000000u
#define SMCCC_1_2		0x10002
#define PSCI_FIRST		0x84000000u
#define PSCI_FEATURES		0x8400000au
#define PSCI_CPU_SUSPEND	0x84000001u
#define PSCI_CPU_OFF		0x84000002u
#define PSCI_CPU_ON		0x84000003u
#define PSCI_INVALID		(~0ull - 1)
#define PSCI_64			BIT(30)		/* the variant with 64-bit arguments */
#define PSCI_LAST		0x8400001fu

#define RSI_FIRST		0xc4000190u
#define RSI_LAST		0xc40001afu
enum { RSI_VERSION, RSI_FEATURES, RSI_REALM_CONFIG = 6, RSI_IPA_STATE_SET, RSI_IPA_STATE_GET,
       RSI_HOST_CALL };
#define RSI_SUCCESS		0
#define RSI_ERROR_INPUT		1
#define RSI_ERROR_STATE		2
#define RSI_1_0			0x10000
#define RIPAS_EMPTY		0		/* shared, or not memory */
#define RIPAS_RAM		1
#define RSI_ACCEPT		0
#define RSI_REJECT		1

u64 pages_a_call;

u64 psci(u64 function, u64 a1, u64 a2, u64 a3)
{
	register u64 x0 asm("x0") = function;
	register u64 x1 asm("x1") = a1;
	register u64 x2 asm("x2") = a2;
	register u64 x3 asm("x3") = a3;

	asm volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	return x0;
}

/* Start a CPU in the emulator, which then enters the guest. */
static u64 cpu_on(u64 mpidr, u64 entry, u64 context)
{
	struct cpu *cpu = cpu_prepare(mpidr, entry, context);

	if (!cpu)
		return PSCI_INVALID;
	return psci(PSCI_CPU_ON | PSCI_64, mpidr, (u64)secondary, (u64)cpu);
}

static u64 psci_call(const u64 *x)
{
	switch (x[0] & ~PSCI_64) {
	case PSCI_CPU_SUSPEND:
		return NOT_SUPPORTED;
	case PSCI_CPU_OFF:
		/* A successful call does not return. */
		unlock();
		return psci(x[0], 0, 0, 0);
	case PSCI_CPU_ON:
		return cpu_on(x[1], x[2], x[3]);
	case PSCI_FEATURES:
		/*
		 * QEMU does not report SMCCC 1.1, without which Linux does not look for the
		 * RSI.
		 */
		if (x[1] == SMCCC_VERSION)
			return 0;
	}
	return psci(x[0], x[1], x[2], x[3]);
}

static bool guest_ram(u64 start, u64 end)
{
	return start >= RAM_START && start < end && end <= guest_end &&
	       !(start % PAGE_SIZE) && !(end % PAGE_SIZE);
}

static u64 realm_config(u64 gpa)
{
	u64 *config;

	if (!guest_ram(gpa, gpa + PAGE_SIZE))
		return RSI_ERROR_INPUT;
	config = memory_private(gpa);
	memset(config, 0, PAGE_SIZE);
	config[0] = ipa_bits;
	return RSI_SUCCESS;
}

/*
 * Convert a range. As a real host may, stop after pages_a_call pages; the guest then
 * continues at the returned address.
 */
static void ipa_state_set(u64 *x)
{
	u64 start = x[1], end = x[2];
	bool shared = x[3] == RIPAS_EMPTY;

	x[0] = RSI_ERROR_INPUT;
	if (!guest_ram(start, end) || x[3] > RIPAS_RAM)
		return;
	x[0] = RSI_SUCCESS;
	if (conversion_fails(shared)) {
		log_("refused on request: %lx to %lx to %s", start, end, shared ? "shared" : "private");
		x[1] = start;
		x[2] = RSI_REJECT;
		return;
	}
	if (pages_a_call && end - start > pages_a_call << PAGE_SHIFT)
		end = start + (pages_a_call << PAGE_SHIFT);
	if (shared)
		counters.hc_shared++;
	else
		counters.hc_private++;
	pages_convert(start, (end - start) >> PAGE_SHIFT, shared);
	memory_flush();
	x[1] = end;
	x[2] = RSI_ACCEPT;
}

/*
 * Return the state of the first page, and the end of the range that has the same state.
 * Addresses outside of RAM are never private.
 */
static void ipa_state_get(u64 *x)
{
	u64 gpa = x[1], end = x[2];
	bool ram = page_tracked(gpa), shared = page_is_shared(gpa);

	x[0] = gpa < end ? RSI_SUCCESS : RSI_ERROR_INPUT;
	if (!ram && gpa < RAM_START && end > RAM_START)
		end = RAM_START;
	if (ram && end > guest_end)
		end = guest_end;
	while (ram && gpa < end && page_is_shared(gpa) == shared)
		gpa += PAGE_SIZE;
	x[1] = ram ? gpa : end;
	x[2] = ram && !shared ? RIPAS_RAM : RIPAS_EMPTY;
}

static void rsi(u64 *x)
{
	switch (x[0] - RSI_FIRST) {
	case RSI_VERSION:
		x[0] = RSI_SUCCESS;
		x[1] = RSI_1_0;
		x[2] = RSI_1_0;
		break;
	case RSI_FEATURES:
		x[0] = RSI_SUCCESS;
		x[1] = 0;
		break;
	case RSI_REALM_CONFIG:
		x[0] = realm_config(x[1]);
		break;
	case RSI_IPA_STATE_SET:
		ipa_state_set(x);
		break;
	case RSI_IPA_STATE_GET:
		ipa_state_get(x);
		break;
	case RSI_HOST_CALL:
		x[0] = RSI_SUCCESS;
		break;
	default:
		x[0] = RSI_ERROR_STATE;
	}
}

void smc(struct regs *r)
{
	u64 function = r->x[0];

	if (function >= RSI_FIRST && function <= RSI_LAST)
		rsi(r->x);
	else if ((function & ~PSCI_64) >= PSCI_FIRST && (function & ~PSCI_64) <= PSCI_LAST)
		r->x[0] = psci_call(r->x);
	else if (function == SMCCC_VERSION)
		r->x[0] = SMCCC_1_2;
	else
		r->x[0] = NOT_SUPPORTED;
}
