// SPDX-License-Identifier: GPL-2.0-only
/*
 * cvmctl: control the emulator from the guest's command line. The program is static, so it
 * runs in any initramfs. It needs no driver and no privilege.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cvm_guest.h"

static const char *const counter_names[CVM_NR_COUNTERS] = {
	[CVM_HC_SHARED] = "hc_shared",
	[CVM_HC_PRIVATE] = "hc_private",
	[CVM_PAGES_TO_SHARED] = "pages_to_shared",
	[CVM_PAGES_TO_PRIVATE] = "pages_to_private",
	[CVM_ACCEPTS] = "accepts",
	[CVM_PAGES_SHARED] = "pages_shared",
	[CVM_VIOL_PRIVATE_ALIAS] = "viol_private_alias",
	[CVM_VIOL_SHARED_ALIAS] = "viol_shared_alias",
	[CVM_CONV_FAILED] = "conv_failed",
	[CVM_EXITS] = "exits",
	[CVM_STRAY_DMA] = "stray_dma",
	[CVM_VMGEXITS] = "vmgexits",
	[CVM_PSC_4K] = "psc_4k",
	[CVM_PSC_2M] = "psc_2m",
	[CVM_PVALIDATE_4K] = "pvalidate_4k",
	[CVM_PVALIDATE_2M] = "pvalidate_2m",
	[CVM_PVALIDATE_MISMATCH] = "pvalidate_mismatch",
	[CVM_VIOL_UNVALIDATED] = "viol_unvalidated",
	[CVM_VIOL_PVALIDATE] = "viol_pvalidate",
	[CVM_VIOL_UNRESCINDED] = "viol_unrescinded",
	[CVM_RETRIES] = "retries",
	[CVM_VIOL_MMIO] = "viol_mmio",
	[CVM_REDELIVERED] = "redelivered",
	[CVM_FLIPS] = "flips",
	[CVM_FLIP_TARGETS] = "flip_targets",
};

static const char usage_text[] =
	"usage: cvmctl present                    print sev, snp, tdx, cca, or plain (with status 1)\n"
	"       cvmctl counters                   print all counters, one name and value per line\n"
	"       cvmctl get NAME                   print the value of a counter\n"
	"       cvmctl mode [N]                   set the trap mode, print the old one; N is the sum of\n"
	"                                         1 trap the private view of shared pages\n"
	"                                         2 trap the shared view of private pages\n"
	"                                         4 count every access, 8 scramble on conversion\n"
	"                                         CCA: 16 abort wrong accesses, 32 zero the shared view\n"
	"                                         of pages that become private\n"
	"       cvmctl rearm                      arm the traps of counted pages again\n"
	"       cvmctl reset                      zero the counters, except pages_shared and flip_targets\n"
	"       cvmctl page GPA                   print private or shared\n"
	"       cvmctl fail shared|private|both SKIP COUNT | accept PAGE COUNT | off\n"
	"                                         refuse conversions (SNP, TDX, CCA)\n"
	"       cvmctl chunk PAGES                limit the pages that one call converts; 0: no limit (CCA)\n"
	"       cvmctl retry SKIP COUNT PAGES | off\n"
	"                                         convert so many pages, then return RETRY (TDX)\n"
	"       cvmctl flip SEED WORDS | off      change so many words at each exit, in pages that the guest\n"
	"                                         shares from now on\n"
	"       cvmctl exits SEED                 make exits at random times, until a signal ends the command\n"
	"       cvmctl leaf ADDRESS               print how the kernel maps a virtual address (CCA)\n"
	"       cvmctl mark TEXT                  write a line to the emulator's log\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return 2;
}

static int number(const char *s, unsigned long long *v)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 0);
	if (errno || end == s || *end || *s == '-') {
		fprintf(stderr, "cvmctl: %s: not a number\n", s);
		return 0;
	}
	return 1;
}

static int do_present(void)
{
	switch (cvm_flavour()) {
	case CVM_SEV:
		puts("sev");
		return 0;
	case CVM_TDX:
		puts("tdx");
		return 0;
	case CVM_CCA:
		puts("cca");
		return 0;
	case CVM_SNP:
		puts("snp");
		return 0;
	default:
		puts("plain");
		return 1;
	}
}

static int do_counters(void)
{
	int i;

	for (i = 0; i < CVM_NR_COUNTERS; i++)
		printf("%s %llu\n", counter_names[i], (unsigned long long)cvm_counter(i));
	return 0;
}

static int do_get(const char *name)
{
	int i;

	for (i = 0; i < CVM_NR_COUNTERS; i++) {
		if (strcmp(name, counter_names[i]))
			continue;
		printf("%llu\n", (unsigned long long)cvm_counter(i));
		return 0;
	}
	fprintf(stderr, "cvmctl: %s: no such counter\n", name);
	return 2;
}

static int do_mode(const char *arg)
{
	unsigned long long mode;

	if (!number(arg, &mode))
		return 2;
	if (mode > CVM_MODE_ALL) {
		fprintf(stderr, "cvmctl: %s: modes are 0 to %u\n", arg, CVM_MODE_ALL);
		return 2;
	}
	printf("%u\n", cvm_set_mode(mode));
	return 0;
}

static int do_page(const char *arg)
{
	unsigned long long gpa;

	if (!number(arg, &gpa))
		return 2;
	switch (cvm_page_state(gpa)) {
	case 0:
		puts("private");
		return 0;
	case 1:
		puts("shared");
		return 0;
	default:
		fprintf(stderr, "cvmctl: %s: not RAM of this guest\n", arg);
		return 1;
	}
}

static int do_fail(const char *direction, const char *skip_arg, const char *count_arg)
{
	unsigned long long skip, count;
	unsigned int directions;

	if (!strcmp(direction, "shared"))
		directions = CVM_FAIL_SHARED;
	else if (!strcmp(direction, "private"))
		directions = CVM_FAIL_PRIVATE;
	else if (!strcmp(direction, "both"))
		directions = CVM_FAIL_SHARED | CVM_FAIL_PRIVATE;
	else if (!strcmp(direction, "accept"))
		directions = CVM_FAIL_ACCEPT;
	else if (!strcmp(direction, "off"))
		directions = 0;
	else
		return usage();
	if (!number(skip_arg, &skip) || !number(count_arg, &count))
		return 2;
	if (cvm_fail(directions, skip, count)) {
		fputs(directions == CVM_FAIL_ACCEPT ?
		      "cvmctl: fail: only TDX guests accept pages\n" :
		      "cvmctl: fail: not supported in SEV, whose conversions cannot fail\n", stderr);
		return 1;
	}
	return 0;
}

static int do_chunk(const char *arg)
{
	unsigned long long pages;

	if (!number(arg, &pages))
		return 2;
	if (cvm_chunk(pages)) {
		fputs("cvmctl: chunk: supported in CCA only\n", stderr);
		return 1;
	}
	return 0;
}

static int do_retry(const char *skip_arg, const char *count_arg, const char *pages_arg)
{
	unsigned long long skip, count, pages;

	if (!number(skip_arg, &skip) || !number(count_arg, &count) || !number(pages_arg, &pages))
		return 2;
	if (cvm_retry(skip, count, pages)) {
		fputs("cvmctl: retry: supported in TDX only\n", stderr);
		return 1;
	}
	return 0;
}

static int do_flip(const char *seed_arg, const char *words_arg)
{
	unsigned long long seed, words;

	if (!number(seed_arg, &seed) || !number(words_arg, &words))
		return 2;
	if (cvm_flip(seed, words)) {
		fprintf(stderr, "cvmctl: flip: %s words are too many\n", words_arg);
		return 1;
	}
	return 0;
}

static int do_flip_off(void)
{
	cvm_flip_end();
	return 0;
}

/* Make an exit up to 4 ms after the previous one. */
static int do_exits(const char *seed_arg)
{
	unsigned long long seed;

	if (!number(seed_arg, &seed))
		return 2;
	srandom(seed);
	for (;;) {
		usleep(random() % 4000);
		cvm_counter(CVM_EXITS);
	}
}

static int do_leaf(const char *arg)
{
	unsigned long long address;
	long long leaf;

	if (!number(arg, &address))
		return 2;
	leaf = cvm_leaf(address);
	if (leaf < 0) {
		fputs("cvmctl: leaf: supported in CCA only\n", stderr);
		return 1;
	}
	if (leaf == 0)
		puts("none");
	else
		printf("%lld %s\n", leaf & ~(long long)CVM_LEAF_SHARED,
		       leaf & CVM_LEAF_SHARED ? "shared" : "private");
	return 0;
}

static int run(int argc, char **argv)
{
	const char *verb = argv[1];

	if (argc == 2 && !strcmp(verb, "counters"))
		return do_counters();
	if (argc == 3 && !strcmp(verb, "get"))
		return do_get(argv[2]);
	if (argc == 3 && !strcmp(verb, "mode"))
		return do_mode(argv[2]);
	if (argc == 3 && !strcmp(verb, "page"))
		return do_page(argv[2]);
	if (argc == 3 && !strcmp(verb, "chunk"))
		return do_chunk(argv[2]);
	if (argc == 5 && !strcmp(verb, "retry"))
		return do_retry(argv[2], argv[3], argv[4]);
	if (argc == 3 && !strcmp(verb, "retry") && !strcmp(argv[2], "off"))
		return do_retry("0", "0", "0");
	if (argc == 4 && !strcmp(verb, "flip"))
		return do_flip(argv[2], argv[3]);
	if (argc == 3 && !strcmp(verb, "flip") && !strcmp(argv[2], "off"))
		return do_flip_off();
	if (argc == 3 && !strcmp(verb, "exits"))
		return do_exits(argv[2]);
	if (argc == 3 && !strcmp(verb, "leaf"))
		return do_leaf(argv[2]);
	if (argc == 5 && !strcmp(verb, "fail"))
		return do_fail(argv[2], argv[3], argv[4]);
	if (argc == 3 && !strcmp(verb, "fail") && !strcmp(argv[2], "off"))
		return do_fail("off", "0", "0");
	if (argc == 3 && !strcmp(verb, "mark"))
		cvm_mark(argv[2]);
	else if (argc == 2 && !strcmp(verb, "rearm"))
		cvm_rearm();
	else if (argc == 2 && !strcmp(verb, "reset"))
		cvm_reset();
	else
		return usage();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage();
	if (argc == 2 && !strcmp(argv[1], "present"))
		return do_present();
	if (!cvm_present()) {
		fputs("cvmctl: this is not a guest of the confidential-VM emulator\n", stderr);
		return 1;
	}
	return run(argc, argv);
}
