// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start of the other processors of a TDX guest.
 *
 * A TDX guest cannot send INIT and SIPI. Its firmware lets the other processors wait for a command in
 * memory, the mailbox, to which an entry of the MADT points (ACPI specification, "Multiprocessor Wakeup
 * Structure"). The guest writes the command and waits in a loop until it is answered. In the emulator no
 * processor waits: it looks into the mailbox when the guest executes PAUSE, and starts the processor.
 *
 * A processor that goes offline, and each but one before kexec, jumps to the reset vector of that entry, and
 * waits again. Without a reset vector (version 0 of the entry) processors would halt in the old kernel's
 * memory; Linux then clears the address of the mailbox in the MADT, whose checksum is wrong from then on.
 */
#include "x86.h"

/*
 * What firmware has, in pages that the guest's memory map reserves. The second half of the mailbox's
 * page belongs to firmware.
 */
#define MAILBOX			LAUNCH_PAGES
#define MADT			(MAILBOX + KIB(2))
#define MADT_MAX		KIB(1)
#define GDT			(MADT + MADT_MAX)
#define RESET_VECTOR		(GDT + 256)
#define PML4			(LAUNCH_PAGES + PAGE_SIZE)
#define PDPT			(LAUNCH_PAGES + 2 * PAGE_SIZE)

#define BIOS_START		0xe0000ull
#define BIOS_END		MIB(1)

struct rsdp {
	char signature[8];
	u8 checksum, oem[6], revision;
	u32 rsdt;
} __packed;

struct acpi_table {
	char signature[4];
	u32 length;
	u8 revision, checksum, creator[26];
} __packed;

/* The entry of the MADT. */
struct wakeup {
	u8 type, length;
	u16 version;
	u32 reserved;
	u64 mailbox;
	u64 reset_vector;
} __packed;

#define WAKEUP_TYPE		0x10
#define WAKEUP_VERSION		1

struct mailbox {
	u16 command, reserved;
	u32 apic_id;
	u64 vector;
} __packed;

#define COMMAND_NONE		0
#define COMMAND_WAKEUP		1
#define COMMAND_TEST		2	/* answered if the processor waits */

#define SELECTOR_CODE		0x10
#define SELECTOR_DATA		0x18

_Static_assert(sizeof(struct acpi_table) == 36, "header of ACPI tables");
_Static_assert(sizeof(struct wakeup) == 24, "MADT");
_Static_assert(sizeof(struct mailbox) == 16, "mailbox");

static const struct rsdp *find_rsdp(void)
{
	u64 at;

	for (at = BIOS_START; at < BIOS_END; at += 16)
		if (string_equal((char *)at, "RSD PTR ", 8))
			return (void *)at;
	stop("the machine has no ACPI tables");
}

static void set_checksum(struct acpi_table *table)
{
	const u8 *p = (u8 *)table;
	u8 sum = 0;
	u32 i;

	table->checksum = 0;
	for (i = 0; i < table->length; i++)
		sum += p[i];
	table->checksum = -sum;
}

/* Copy the MADT, with an entry for the mailbox, and let the RSDT point to the copy. */
static void add_to_madt(void)
{
	struct acpi_table *rsdt = (void *)(u64)find_rsdp()->rsdt, *copy = (void *)MADT, *madt;
	u32 *entry = (u32 *)(rsdt + 1), n = (rsdt->length - sizeof(*rsdt)) / sizeof(*entry), i;

	for (i = 0; i < n; i++)
		if (string_equal((char *)(u64)entry[i], "APIC", 4))
			break;
	if (i == n)
		stop("the machine has no MADT");
	madt = (void *)(u64)entry[i];
	if (madt->length + sizeof(struct wakeup) > MADT_MAX)
		stop("the MADT is too long");
	memcpy(copy, madt, madt->length);
	*(struct wakeup *)(MADT + madt->length) = (struct wakeup){
		.type = WAKEUP_TYPE, .length = sizeof(struct wakeup), .version = WAKEUP_VERSION,
		.mailbox = MAILBOX, .reset_vector = RESET_VECTOR,
	};
	copy->length += sizeof(struct wakeup);
	set_checksum(copy);
	entry[i] = MADT;
	set_checksum(rsdt);
}

/* Prepare the mailbox, and what a processor uses when it starts: 4 GiB mapped one to one, segments. */
void mailbox_init(void)
{
	u64 *pml4 = (void *)PML4, *pdpt = (void *)PDPT, *gdt = (void *)GDT;
	u32 i;

	memset((void *)MAILBOX, 0, TRAMPOLINE - MAILBOX);
	pml4[0] = PDPT | 3;
	for (i = 0; i < 4; i++)
		pdpt[i] = GIB(i) | 0x83;
	gdt[SELECTOR_CODE / 8] = 0x00af9b000000ffff;
	gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	/* TDCALL, which the emulator intercepts */
	memcpy((void *)RESET_VECTOR, "\x66\x0f\x01\xcc", 4);
	add_to_madt();
}

/* Let a processor wait that the guest has sent to the reset vector; return if it is not there. */
void mailbox_reset(struct vcpu *v)
{
	if (smp_count() > 1 && v->vmcb->rip == RESET_VECTOR) {
		/* Look into the mailbox again. */
		smp_intercept(v, INTERCEPT_PAUSE);
		smp_halt(v);
	}
}

/* Execute a command in the mailbox, if there is one. */
void mailbox_poll(void)
{
	volatile struct mailbox *m = (void *)MAILBOX;
	struct vcpu *v;
	struct vmcb *s;

	if (m->command != COMMAND_WAKEUP && m->command != COMMAND_TEST)
		return;
	v = smp_waiting(m->apic_id);
	if (m->command == COMMAND_TEST) {
		if (v)
			m->command = COMMAND_NONE;
		return;
	}
	if (!v)
		stop("the guest wakes CPU %u, which does not wait", m->apic_id);
	vcpu_set_boot_state(v);
	s = v->vmcb;
	s->gdtr = (struct segment){ .limit = SELECTOR_DATA + 7, .base = GDT };
	s->cs = (struct segment){ SELECTOR_CODE, ATTR_CODE_64, 0xffffffff, 0 };
	s->ds = (struct segment){ SELECTOR_DATA, ATTR_DATA, 0xffffffff, 0 };
	s->es = s->ds;
	s->ss = s->ds;
	/* The kernel's first page tables for a CPU have NX bits, which the TDX module always allows. */
	s->efer |= EFER_NXE;
	s->cr3 = PML4;
	s->rip = m->vector;
	smp_enter(v);
	m->command = COMMAND_NONE;
}
