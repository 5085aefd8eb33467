// SPDX-License-Identifier: GPL-2.0-only
/*
 * ccshmctl doctor, on the fake driver and on temporary files for /proc, /sys and so on. As far as
 * possible, each check is made to pass, to warn, to fail and to be skipped.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli-run.h"
#include "fake.h"
#include "fake-root.h"

#define RELEASE	"6.12.1-test"
#define MODULES	"/lib/modules/" RELEASE

/* Detect the platform of the fake machine. */
int __wrap_ccshm_platform_detect(uint32_t *platform);

int __wrap_ccshm_platform_detect(uint32_t *platform)
{
	return ccshm_platform_detect_seam(&cli_seam, platform);
}

/* ------------------------------------------------------------------------- */
/* States of the machine                                                     */
/* ------------------------------------------------------------------------- */

static void no_driver(void)
{
	fake.no_driver = true;
}

/* Set the CPUID of a SEV guest; there is no driver. */
static void sev_guest(void)
{
	no_driver();
	fake.cpuid[1].ecx = 1u << 31;
	fake.cpuid[2].eax = 0x8000001f;
	fake.cpuid_leaf[4] = 0x8000001f;
	fake.cpuid[4].eax = 0x2;
}

static void loaded(void)
{
	put("/sys/module/ccshm/", "");
}

/* Write a module file with the texts of .modinfo, and a signature if @is_signed. */
static void put_module(const char *path, const char *built_for, bool is_signed)
{
	char bytes[512] = "\177ELF some code";
	size_t n = 32;

	n += (size_t)sprintf(bytes + n, "license=GPL") + 1;
	n += (size_t)sprintf(bytes + n, "vermagic=%s SMP preempt mod_unload modversions ", built_for) + 1;
	n += (size_t)sprintf(bytes + n, "depends=") + 1;
	if (is_signed)
		n += (size_t)sprintf(bytes + n, "PKCS#7~Module signature appended~\n");
	put_bytes(path, bytes, n);
}

static void installed(const char *release, const char *built_for, bool is_signed)
{
	char path[256];

	snprintf(path, sizeof(path), "/lib/modules/%s/updates/dkms/ccshm.ko", release);
	put_module(path, built_for, is_signed);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	put(path, "kernel/lib/xccshm.ko:\nupdates/dkms/ccshm.ko: kernel/lib/libcrc32c.ko\n");
}

static void good_module(void)
{
	installed(RELEASE, RELEASE, false);
}

static void foreign_module(void)
{
	installed(RELEASE, "6.12.2-other", false);
}

static void signed_module(void)
{
	installed(RELEASE, RELEASE, true);
}

/* Write a module as sign-file does: a PKCS#7 message, struct module_signature, the marker. */
static void module_signed_by(const char *signer)
{
	unsigned char bytes[512] = "\177ELF";
	size_t n = 32, sig, len = strlen(signer);

	n += (size_t)sprintf((char *)bytes + n, "vermagic=" RELEASE " SMP ") + 1;
	sig = n;
	n += (size_t)sprintf((char *)bytes + n, "\x06\x03\x55\x04\x03\x0c\x05other 1234 ");
	n += (size_t)sprintf((char *)bytes + n, "\x06\x03\x55\x04\x03\x0c%c%s 1234", (int)len, signer);
	sig = n - sig;
	memcpy(bytes + n, "\0\0\2\0\0\0\0\0\0\0\0", 11);
	bytes[n + 11] = (unsigned char)sig;
	n += 12;
	n += (size_t)sprintf((char *)bytes + n, "~Module signature appended~\n");
	put_bytes(MODULES "/updates/dkms/ccshm.ko", bytes, n);
	put(MODULES "/modules.dep", "updates/dkms/ccshm.ko:\n");
}

static void module_of_mok(void)
{
	module_signed_by("DKMS module signing key");
}

/* Write a module in whose signature the length of a name exceeds the signature. */
static void module_of_nonsense(void)
{
	static const char bytes[] = "\177ELF\0\x06\x03\x55\x04\x03\x0c\x7f" "abc"
		"\0\0\2\0\0\0\0\0\0\0\0\x0a" "~Module signature appended~\n";

	put_bytes(MODULES "/updates/dkms/ccshm.ko", bytes, sizeof(bytes) - 1);
	put(MODULES "/modules.dep", "updates/dkms/ccshm.ko:\n");
}

/* Write a module file with another srcversion than the loaded module, as after an upgrade. */
static void new_module(void)
{
	static const char bytes[] = "\177ELF xsrcversion=F00\0srcversion=B0B\0vermagic=" RELEASE " SMP \0";

	put_bytes(MODULES "/updates/ccshm.ko", bytes, sizeof(bytes) - 1);
	put(MODULES "/modules.dep", "updates/ccshm.ko:\n");
}

/* Pretend that ccshmctl was installed by a package; "make install" uses /usr/local. */
static void of_package(void)
{
	put("/proc/self/", "");
	shell("ln -s /usr/bin/ccshmctl %s%s%s", "/proc/self/exe", "");
}

static void of_source(void)
{
	put("/proc/self/", "");
	shell("ln -s /usr/local/bin/ccshmctl %s%s%s", "/proc/self/exe", "");
}

/* As after an upgrade, of the file that distributions compress. */
static void new_packed_module(void)
{
	new_module();
	shell("xz %s" MODULES "/updates/ccshm.ko%s%s", "", "");
	put(MODULES "/modules.dep", "updates/ccshm.ko.xz:\n");
}

static void limited(void)
{
	fake.info.limit_total_bytes = 1000 << 20;
	fake.info.used_bytes = 899 << 20;
	fake.info.limit_user_bytes = 100 << 20;
	fake.info.user_bytes = 1 << 20;
	fake.info.limit_user_buffers = CCSHM_LIMIT_NONE;
	fake.info.user_buffers = 7;
	fake.info.limit_user_exports = 65536;
	fake.info.user_exports = 8;
}

static void setup(void)
{
	fake_setup();
	limited();
	cli_reset();
	top_make();
	put("/proc/sys/kernel/osrelease", RELEASE "\n");
	fake.info.platform = CCSHM_PLATFORM_SEV_SNP;
}

static void teardown(void)
{
	top_remove();
	fake_teardown();
}

/* ------------------------------------------------------------------------- */
/* Expected results                                                          */
/* ------------------------------------------------------------------------- */

/* Check the result of a check, and that the output contains a text. */
static void check_finding(const char *check, const char *result, const char *says)
{
	char needle[128];

	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	snprintf(needle, sizeof(needle), "\"result\": \"%s\",\n         \"check\": \"%s\"",
		 result, check);
	ck_assert_msg(strstr(cli.out, needle) != NULL, "no %s of %s in: %s", result, check, cli.out);
	ck_assert_msg(strstr(cli.out, says) != NULL, "no \"%s\" in: %s", says, cli.out);
	ck_assert_str_eq(cli.err, "");
	ck_assert_uint_eq(cli.files, 0);
}

struct file {
	const char *path;
	const char *text;
};

/**
 * struct story - one check on one machine
 * @check: name of the check
 * @result: expected result
 * @code: expected exit code
 * @says: text that the output must contain
 * @advises: another text that the output must contain, or NULL
 * @arrange: functions that set the state of the machine
 * @files: files of the machine
 */
struct story {
	const char *check;
	const char *result;
	int code;
	const char *says;
	const char *advises;
	void (*arrange[3])(void);
	struct file files[4];
};

static void tell(const struct story *story)
{
	size_t i;

	for (i = 0; i < 3 && story->arrange[i]; i++)
		story->arrange[i]();
	for (i = 0; i < 4 && story->files[i].path; i++)
		put(story->files[i].path, story->files[i].text);
	ck_assert_int_eq(cli_run("doctor", story->check, "--json", NULL), story->code);
	check_finding(story->check, story->result, story->says);
	if (story->advises)
		check_finding(story->check, story->result, story->advises);
}

/* ------------------------------------------------------------------------- */
/* The machine and its kernel                                                */
/* ------------------------------------------------------------------------- */

static void plain_driver(void)
{
	fake.info.platform = CCSHM_PLATFORM_NONE;
	fake.info.info_flags = CCSHM_INFO_PLAIN;
}

static void newer_driver(void)
{
	fake.info.platform = 99;
}

static void tdx_driver(void)
{
	fake.info.platform = CCSHM_PLATFORM_TDX;
}

/* CPUID of an architecture that does not have the instruction. */
static int no_such_instruction(uint32_t leaf, struct ccshm_cpuid *out)
{
	(void)leaf;
	(void)out;
	return -ENOSYS;
}

static void never_cpuid(void)
{
	no_driver();
	cli_seam.cpuid = no_such_instruction;
}

/* Exists on arm64 only. */
#define MIDR	"/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"

static const struct story platform_stories[] = {
	{ "platform", "pass", 0, "(AMD SEV-SNP), as the driver reports", NULL, { NULL }, { { 0 } } },
	{ "platform", "pass", 0, "(Intel TDX), as the driver reports", NULL, { tdx_driver }, { { 0 } } },
	{ "platform", "pass", 0, "unknown to this ccshmctl", NULL, { newer_driver }, { { 0 } } },
	{ "platform", "warn", 0, "allow_plain=1", "unload", { plain_driver }, { { 0 } } },
	{ "platform", "fail", 3, "not a confidential guest", "modprobe ccshm allow_plain=1",
	  { no_driver }, { { 0 } } },
	{ "platform", "warn", 0, "allow_plain=1", NULL, { no_driver, loaded }, { { 0 } } },
	{ "platform", "pass", 0, "AMD SEV, SEV-ES or SEV-SNP", NULL, { sev_guest }, { { 0 } } },
	{ "platform", "pass", 0, "(AMD SEV-SNP).", NULL, { sev_guest },
	  { { "/sys/devices/system/cpu/sev/vmpl", "0\n" } } },
	{ "platform", "skip", 0, "Cannot determine without the driver", "Load the module", { never_cpuid }, { { 0 } } },
	{ "platform", "pass", 0, "(Arm CCA)", NULL, { never_cpuid },
	  { { "/sys/devices/platform/arm-cca-dev/", "" } } },
	{ "platform", "pass", 0, "(Arm CCA)", NULL, { never_cpuid },
	  { { "/sys/devices/platform/arm-cca-dev/", "" }, { MIDR, "0x00000000410fd0c0\n" } } },
	{ "platform", "fail", 3, "not a confidential guest", "modprobe ccshm allow_plain=1",
	  { never_cpuid }, { { MIDR, "0x00000000410fd0c0\n" } } },
	{ "kernel", "pass", 0, RELEASE " is new enough", NULL, { NULL }, { { 0 } } },
	{ "kernel", "pass", 0, "6.1.0 is new enough", NULL, { NULL },
	  { { "/proc/sys/kernel/osrelease", "6.1.0\n" } } },
	{ "kernel", "fail", 3, "6.0.19 is older", "newer kernel", { NULL },
	  { { "/proc/sys/kernel/osrelease", "6.0.19\n" } } },
	{ "kernel", "fail", 3, "5.15.0-91-generic is older", NULL, { NULL },
	  { { "/proc/sys/kernel/osrelease", "5.15.0-91-generic\n" } } },
	{ "kernel", "warn", 0, "5.14.0-427.el9.x86_64 is older", "RHEL 9.2 and later", { NULL },
	  { { "/proc/sys/kernel/osrelease", "5.14.0-427.el9.x86_64\n" } } },
	{ "kernel", "skip", 0, "Cannot determine the version of the kernel", NULL, { NULL },
	  { { "/proc/sys/kernel/osrelease", "" } } },
};

/* ------------------------------------------------------------------------- */
/* The module                                                                */
/* ------------------------------------------------------------------------- */

static void module_of_others(void)
{
	installed("6.1.0-old", "6.1.0-old", false);
	installed("6.13.0-new", "6.13.0-new", false);
	put(MODULES "/modules.dep", "kernel/lib/xccshm.ko:\n");
}

static void index_unreadable(void)
{
	put(MODULES "/modules.dep/", "");
}

/* Make the path fail with ELOOP, which replaces a directory without permission in tests by root. */
static void modules_unreadable(void)
{
	put("/lib/modules/", "");
	shell("ln -s loop %s%s%s", "/lib/modules/loop", "");
	shell("ln -s loop %s%s%s", MODULES, "");
}

static void truncated_module(void)
{
	put(MODULES "/modules.dep", "updates/ccshm.ko.xz:\n");
	put(MODULES "/updates/ccshm.ko.xz", "this is not what xz makes");
}

/* Values may be unquoted, as on Debian, or quoted. */
#define DEBIAN	{ "/etc/os-release", "ID=debian\n" }
#define QUOTED	{ "/etc/os-release", "NAME='An OS'\nID='fedora'\n" }
#define KMSG(text) { "/dev/kmsg", "5,1,1,-;Linux version\n SUBSYSTEM=x;ccshm: not this\n5,2,2,-;" text "\n5,3,3,-;last\n" }

static const struct story module_stories[] = {
	{ "module", "warn", 0, "srcversion A11CE, installed B0B", "update-initramfs -u", { new_module },
	  { { "/sys/module/ccshm/srcversion", "A11CE\n" } } },
	{ "module", "warn", 0, "srcversion A11CE, installed B0B", "modprobe -r ccshm", { new_packed_module },
	  { { "/sys/module/ccshm/srcversion", "A11CE\n" }, { "/sys/class/misc/ccshm/leaked_bytes", "0\n" } } },
	{ "module", "warn", 0, "srcversion A11CE, installed B0B",
	  "Restart the guest: the loaded module stays until then, because 2097152 bytes", { new_module },
	  { { "/sys/module/ccshm/srcversion", "A11CE\n" }, { "/sys/class/misc/ccshm/leaked_bytes", "2097152\n" } } },
	{ "module", "pass", 0, "loaded and installed", NULL, { new_module },
	  { { "/sys/module/ccshm/srcversion", "B0B\n" } } },
	{ "module", "pass", 0, "loaded and installed", NULL, { good_module },
	  { { "/sys/module/ccshm/srcversion", "B0B\n" } } },
	{ "module", "fail", 3, "not installed for any kernel", "\"Run `apt install ccshm-dkms`.\"",
	  { sev_guest, of_package }, { DEBIAN } },
	{ "module", "fail", 3, "not installed for any kernel", "\"Run `dnf install ccshm-dkms`.\"",
	  { sev_guest, of_package }, { QUOTED } },
	{ "module", "fail", 3, "not installed for any kernel", "\"Install the package ccshm-dkms.\"",
	  { sev_guest, of_package }, { { 0 } } },
	{ "module", "fail", 3, "not installed for any kernel", "\"In the sources of ccshm run `make driver`",
	  { sev_guest, of_source }, { DEBIAN } },
	{ "module", "fail", 3, "was built for 6.12.2-other", "dkms install ccshm/",
	  { sev_guest, foreign_module, of_package }, { { 0 } } },
	{ "module", "fail", 3, "was built for 6.12.2-other", "make -C driver modules_install",
	  { sev_guest, foreign_module, of_source }, { { 0 } } },
	{ "module", "warn", 0, "loaded, but not installed", "apt install ccshm-dkms", { of_package }, { DEBIAN } },
	{ "module", "fail", 3, "installed, but not loaded",
	  "kernel's log is: Loading of module with unavailable key is rejected\"",
	  { sev_guest, good_module }, { KMSG("Loading of module with unavailable key is rejected") } },
	{ "module", "fail", 3, "installed, but not loaded", "log is: ccshm: `8g' invalid for parameter",
	  { sev_guest, good_module }, { KMSG("ccshm: `8g' invalid for parameter `limit_total_bytes'") } },
	{ "module", "fail", 3, "installed, but not loaded", "|Loading of .* is rejected|PKCS#7|",
	  { sev_guest, good_module }, { KMSG("nothing of it") } },
	{ "module", "pass", 0, "loaded and installed: updates/dkms/ccshm.ko", NULL, { good_module }, { { 0 } } },
	{ "module", "warn", 0, "loaded, but not installed for Linux " RELEASE, "depmod", { NULL }, { { 0 } } },
	{ "module", "warn", 0, "was built for 6.12.2-other", "Build it again", { foreign_module }, { { 0 } } },
	{ "module", "skip", 0, "nothing to share", NULL, { no_driver }, { { 0 } } },
	{ "module", "skip", 0, "nothing to share", NULL, { never_cpuid }, { { MIDR, "0x00000000410fd0c0\n" } } },
	{ "module", "fail", 3, "not installed for any kernel", "make -C driver modules_install",
	  { sev_guest }, { { 0 } } },
	{ "module", "fail", 3, "installed for 6.1.0-old, 6.13.0-new, but not for the running kernel, Linux " RELEASE,
	  "dkms autoinstall -k " RELEASE, { sev_guest, module_of_others, of_package }, { { 0 } } },
	{ "module", "fail", 3, "not for the running kernel, Linux " RELEASE,
	  "make -C driver modules_install && depmod`, or boot a kernel", { sev_guest, module_of_others }, { { 0 } } },
	{ "module", "fail", 3, "installed for Linux " RELEASE " was built for 6.12.2-other", "Build it again",
	  { sev_guest, foreign_module }, { { 0 } } },
	{ "module", "fail", 3, "installed, but not loaded", "dmesg", { sev_guest, good_module }, { { 0 } } },
	{ "module", "fail", 3, "installed, but not loaded", NULL, { sev_guest, truncated_module }, { { 0 } } },
	{ "module", "skip", 0, "cannot be read", NULL, { sev_guest, modules_unreadable }, { { 0 } } },
	{ "module", "fail", 3, "not installed for any kernel", NULL, { sev_guest, index_unreadable }, { { 0 } } },
};

#define ENFORCE		{ "/sys/module/module/parameters/sig_enforce", "Y\n" }
#define NO_ENFORCE	{ "/sys/module/module/parameters/sig_enforce", "N\n" }
#define LOCKED		{ "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n" }
#define NOT_LOCKED	{ "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n" }
#define AZURE		{ "/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n" }
#define GOOGLE		{ "/sys/class/dmi/id/product_name", "Google Compute Engine\n" }

static void secure_boot(void)
{
	put_bytes("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		  "\6\0\0\0\1", 5);
}

static void secure_boot_off(void)
{
	put_bytes("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		  "\6\0\0\0\0", 5);
}

#define KEYS(name)	{ "/proc/keys", "1 I--Q--- 1 perm 3f030000 0 0 keyring   _ses: 1\n" \
	"0a1 I------ 1 perm 1f010000 0 0 asymmetri " name ": 6ccece7e: X509.rsa bb419ea1 []\n" }

static const struct story signature_stories[] = {
	{ "signature", "skip", 0, "Cannot determine whether this kernel requires", NULL, { sev_guest }, { { 0 } } },
	{ "signature", "skip", 0, "No module is needed", NULL, { no_driver, good_module }, { ENFORCE } },
	{ "signature", "pass", 0, "without a signature", NULL, { sev_guest }, { NO_ENFORCE, NOT_LOCKED } },
	{ "signature", "pass", 0, "without a signature", NULL, { sev_guest }, { NOT_LOCKED } },
	{ "signature", "fail", 3, "not signed, and this kernel loads only signed modules: it is locked down",
	  "mokutil --import /var/lib/dkms/mok.pub", { sev_guest, good_module, secure_boot_off },
	  { NO_ENFORCE, LOCKED } },
	{ "signature", "fail", 3, "module.sig_enforce is set", NULL, { sev_guest, good_module },
	  { ENFORCE, NOT_LOCKED } },
	{ "signature", "fail", 3, "Secure Boot is on", "/var/lib/shim-signed/mok/MOK.der",
	  { sev_guest, good_module, secure_boot }, { LOCKED, { "/var/lib/shim-signed/mok/MOK.der", "" } } },
	{ "signature", "fail", 3, "Secure Boot is on", "On Azure a key cannot be added",
	  { sev_guest, good_module, secure_boot }, { LOCKED, AZURE } },
	{ "signature", "fail", 3, "Secure Boot is on", "--signature-database-file=",
	  { sev_guest, good_module, secure_boot }, { LOCKED, GOOGLE } },
	{ "signature", "fail", 3, "signed by DKMS module signing key, and the kernel has refused a key "
	  "(Secure Boot is on): Loading of module with unavailable key is rejected.", "mokutil",
	  { sev_guest, module_of_mok, secure_boot },
	  { LOCKED, KMSG("Loading of module with unavailable key is rejected") } },
	{ "signature", "fail", 3, "refused a key", NULL, { sev_guest, module_of_mok },
	  { ENFORCE, KMSG("PKCS#7 signature not signed with a trusted key") } },
	{ "signature", "fail", 3, "signed by DKMS module signing key, and the kernel has no key of that name",
	  "mokutil", { sev_guest, module_of_mok }, { ENFORCE, KEYS("Debian CA"), KMSG("nothing") } },
	{ "signature", "fail", 3, "no key of that name", NULL, { sev_guest, module_of_mok },
	  { ENFORCE, KEYS("No DKMS module signing key of it") } },
	{ "signature", "pass", 0, "the kernel has a key of that name", "\"advice\": null", { sev_guest, module_of_mok },
	  { ENFORCE, KEYS("DKMS module signing key") } },
	{ "signature", "pass", 0, "the kernel has a key of that name", NULL, { sev_guest, module_of_mok },
	  { ENFORCE, KEYS("Us: DKMS module signing key") } },
	/* /proc/keys as an unprivileged user sees it. */
	{ "signature", "warn", 0, "cannot determine whether the kernel trusts the key", "mokutil",
	  { sev_guest, module_of_mok }, { ENFORCE, { "/proc/keys", "1 I--Q 1 perm 1 0 0 keyring   _ses: 1\n" } } },
	{ "signature", "warn", 0, "signed by an unknown signer", NULL, { sev_guest, module_of_nonsense },
	  { ENFORCE, KEYS("DKMS module signing key") } },
	{ "signature", "warn", 0, "signed by an unknown signer; cannot determine whether the kernel trusts", "mokutil",
	  { sev_guest, signed_module, secure_boot }, { LOCKED } },
	{ "signature", "warn", 0, "signed with a key it trusts", "mokutil", { sev_guest }, { ENFORCE } },
	{ "signature", "warn", 0, "cannot determine whether the module is signed", NULL,
	  { sev_guest, truncated_module }, { ENFORCE } },
	{ "signature", "skip", 0, "Cannot determine how the kernel judged", NULL, { NULL }, { { 0 } } },
	{ "signature", "pass", 0, "does not require one", NULL, { NULL },
	  { { "/sys/module/ccshm/taint", "OE\n" } } },
	{ "signature", "pass", 0, "has accepted the module", NULL, { NULL },
	  { { "/sys/module/ccshm/taint", "O\n" } } },
	{ "lockdown", "skip", 0, "Cannot determine whether the kernel is locked down", NULL, { NULL }, { { 0 } } },
	{ "lockdown", "skip", 0, "Cannot determine whether the kernel is locked down", NULL, { NULL }, { { "/sys/kernel/security/lockdown", "none\n" } } },
	{ "lockdown", "pass", 0, "not locked down", NULL, { NULL }, { NOT_LOCKED } },
	{ "lockdown", "warn", 0, "locked down (integrity)", "vfio", { NULL }, { LOCKED } },
};

#define OS(text) { "/etc/os-release", "NAME=x\n" text "\nVERSION_ID=1\n" }

static void dkms(const char *what)
{
	struct utsname machine;
	char path[256];

	uname(&machine);
	snprintf(path, sizeof(path), what, machine.machine);
	put(path, "");
}

static void dkms_installed(void)
{
	dkms("/var/lib/dkms/ccshm/kernel-" RELEASE "-%s");
}

static void dkms_built(void)
{
	dkms("/var/lib/dkms/ccshm/0.1.0/" RELEASE "/%s/module/ccshm.ko");
}

static void dkms_for_other(void)
{
	dkms("/var/lib/dkms/ccshm/kernel-6.1.0-old-%s");
}

static const struct story build_stories[] = {
	{ "headers", "pass", 0, "are installed", NULL, { sev_guest }, { { MODULES "/build/Makefile", "" } } },
	{ "headers", "skip", 0, "no module is needed", NULL, { no_driver }, { { 0 } } },
	{ "headers", "pass", 0, "not needed", "apt install linux-headers-" RELEASE, { NULL }, { OS("ID=debian") } },
	{ "headers", "pass", 0, "not needed", NULL, { sev_guest, good_module }, { OS("ID=debian") } },
	{ "headers", "fail", 3, "cannot be built", "apt install linux-headers-" RELEASE, { sev_guest },
	  { OS("ID=debian") } },
	{ "headers", "fail", 3, "cannot be built", "apt install linux-headers-" RELEASE, { sev_guest },
	  { OS("ID=linuxmint\nID_LIKE=\"ubuntu debian\"") } },
	{ "headers", "fail", 3, "cannot be built", "dnf install kernel-devel-" RELEASE, { sev_guest },
	  { OS("ID=\"rhel\"") } },
	{ "headers", "fail", 3, "cannot be built", "dnf install kernel-devel-" RELEASE, { sev_guest },
	  { OS("ID='rhel'") } },
	{ "headers", "fail", 3, "cannot be built", "apt install linux-headers-" RELEASE, { sev_guest },
	  { OS("ID='mint'\nID_LIKE='ubuntu debian'") } },
	{ "headers", "fail", 3, "cannot be built", "dnf install kernel-devel-" RELEASE, { sev_guest },
	  { { "/usr/lib/os-release", "ID=fedora\n" } } },
	{ "headers", "fail", 3, "cannot be built", "zypper install kernel-default-devel\"", { sev_guest },
	  { OS("ID=opensuse-leap\nID_LIKE=\"suse opensuse\"") } },
	{ "headers", "fail", 3, "cannot be built", "install the headers of Linux " RELEASE, { sev_guest },
	  { OS("ID=debianesque") } },
	{ "headers", "fail", 3, "cannot be built", "install the headers of Linux " RELEASE, { sev_guest }, { { 0 } } },
	{ "dkms", "skip", 0, "not registered", NULL, { NULL }, { { 0 } } },
	{ "dkms", "skip", 0, "not registered", NULL, { dkms_for_other }, { { 0 } } },
	{ "dkms", "pass", 0, "built and installed", NULL, { dkms_installed }, { { 0 } } },
	{ "dkms", "warn", 0, "not installed it", "dkms install ccshm/0.1.0 -k " RELEASE, { dkms_built }, { { 0 } } },
	{ "dkms", "warn", 0, "has not built it", "dkms autoinstall -k " RELEASE, { dkms_for_other },
	  { { "/var/lib/dkms/ccshm/0.1.0/source", "" } } },
	{ "dkms", "fail", 3, "could not build version 0.10.0", "/var/lib/dkms/ccshm/0.10.0/build/make.log",
	  { NULL }, { { "/var/lib/dkms/ccshm/0.10.0/build/make.log", "" }, { "/var/lib/dkms/ccshm/0.9.0/source", "" } } },
	{ "dkms", "skip", 0, "Cannot read the state of DKMS: Not a directory", NULL, { NULL }, { { "/var/lib/dkms/ccshm", "" } } },
};

/* ------------------------------------------------------------------------- */
/* The driver                                                                */
/* ------------------------------------------------------------------------- */

static void closed(void)
{
	fake_fail(FAKE_OPEN, 0, -EACCES);
}

static void device_cgroup(void)
{
	fake_fail(FAKE_OPEN, 0, -EPERM);
}

static void too_many_files(void)
{
	fake_fail(FAKE_OPEN, 0, -EMFILE);
}

static void other_abi(void)
{
	fake.abi_version = 7;
	fake.abi_oldest = 7;
}

static void old_abi(void)
{
	fake.abi_version = 0;
	fake.abi_oldest = 0;
}

static void node_of_root(void)
{
	put_node("/dev/ccshm", 0600, 0);
}

static void node_of_group(void)
{
	put_node("/dev/ccshm", 0660, 4711);
}

static void node_of_all(void)
{
	put_node("/dev/ccshm", 0666, 4711);
}

static void heap_of_all(void)
{
	put_node("/dev/dma_heap/system_cc_shared", 0666, 4711);
}

static void total_near(void)
{
	fake.info.used_bytes = 900 << 20;
}

/* 100 times the bytes exceed 64 bits. */
static void huge_near(void)
{
	fake.info.limit_total_bytes = 1000ULL << 50;
	fake.info.used_bytes = 950ULL << 50;
}

static void total_reached(void)
{
	fake.info.used_bytes = 1000 << 20;
}

static void user_reached(void)
{
	fake.info.user_bytes = 100 << 20;
}

static void buffers_reached(void)
{
	fake.info.limit_user_buffers = 5;
}

static void exports_reached(void)
{
	fake.info.limit_user_exports = 8;
}

static void unlimited(void)
{
	fake.info.limit_total_bytes = CCSHM_LIMIT_NONE;
}

static void refused(void)
{
	fake.info.refusals = 12;
}

static void leaked(void)
{
	fake.info.bytes_leaked = 5 << 20;
	fake.info.bytes_quarantined = 1;
	fake.info.calls_failed = 1;
}

static void quarantined(void)
{
	fake.info.bytes_quarantined = (2 << 20) + 1;
	fake.info.calls_failed = 1;
}

static void failed_once(void)
{
	fake.info.calls_failed = 17;
}

#define HEAP		"/dev/dma_heap/system_cc_shared"
/* In the tests the node is a regular file, with device number 0:0. */
#define KERNELS_HEAP	{ "/sys/class/dma_heap/system_cc_shared/dev", "0:0\n" }
#define KERNELS_OTHER	{ "/sys/class/dma_heap/system_cc_shared/dev", "249:0\n" }
#define OUR_HEAP	{ "/sys/class/misc/ccshm-heap/dev", "0:0\n" }
#define OUR_OTHER	{ "/sys/class/misc/ccshm-heap/dev", "10:120\n" }

#define GROUP(gid)	{ "/etc/group", "root:x:0:\nxccshm:x:7000:\nccshm:x:" gid ":\n" }
#define LOGIN_DEFS(max)	{ "/etc/login.defs", "#SYS_GID_MAX 1\nGID_MIN\t1000\nSYS_GID_MAX\t\t" max "\n" }

static const struct story driver_stories[] = {
	{ "driver", "pass", 0, "answers", NULL, { NULL }, { { 0 } } },
	{ "driver", "skip", 0, "Cannot query the driver", NULL, { no_driver }, { { 0 } } },
	{ "driver", "fail", 3, "loaded, but there is no /dev/ccshm", "container", { no_driver, loaded }, { { 0 } } },
	{ "driver", "fail", 4, "not permitted to open", "usermod -aG 4711 USER", { closed, node_of_group }, { { 0 } } },
	{ "driver", "fail", 4, "not permitted to open", "udev rule", { closed, node_of_root }, { { 0 } } },
	{ "driver", "fail", 4, "not permitted to open", "udev rule", { closed }, { { 0 } } },
	{ "driver", "fail", 1, "is too old for the driver", "driver's release", { other_abi }, { { 0 } } },
	{ "driver", "fail", 1, "driver is too old", "newer release", { old_abi }, { { 0 } } },
	{ "driver", "fail", 4, "A device policy forbids opening /dev/ccshm", "DeviceAllow=/dev/ccshm rw",
	  { device_cgroup, node_of_group }, { { 0 } } },
	{ "driver", "fail", 1, "Too many open files", NULL, { too_many_files }, { { 0 } } },
	{ "access", "skip", 0, "no device node", NULL, { NULL }, { { 0 } } },
	{ "access", "warn", 0, "Only root", "udev rule", { node_of_root }, { { 0 } } },
	{ "access", "pass", 0, "group 4711 may open the node (mode 0660)", NULL, { node_of_group }, { { 0 } } },
	{ "access", "warn", 0, "Every user", "0660", { node_of_all }, { { 0 } } },
	{ "access", "warn", 0, "\"object\": \"" HEAP "\"", "0660", { node_of_group, heap_of_all }, { { 0 } } },
	{ "access", "warn", 0, "group ccshm is not a system group (gid 1001, above 999)",
	  "`groupmod -g GID ccshm` with a free GID up to 999, `systemctl restart systemd-udevd`, then `udevadm trigger ",
	  { node_of_group }, { GROUP("1001") } },
	{ "access", "warn", 0, "(gid 600, above 500)", NULL, { node_of_group }, { GROUP("600"), LOGIN_DEFS("500") } },
	{ "access", "pass", 0, "group 4711", "\"advice\": null\n      }\n   ]", { node_of_group }, { GROUP("999") } },
	{ "access", "pass", 0, "group 4711", "\"advice\": null\n      }\n   ]", { node_of_group },
	  { GROUP("1500"), LOGIN_DEFS("2000") } },
	{ "heap", "pass", 0, "This kernel has its own heap", NULL, { NULL }, { KERNELS_HEAP, { HEAP, "" } } },
	{ "heap", "pass", 0, "This kernel has its own heap", NULL, { NULL }, { KERNELS_HEAP, OUR_OTHER, { HEAP, "" } } },
	/* The kernel's heap was registered after that of ccshm. */
	{ "heap", "warn", 0, "is that of ccshm: the kernel's own heap appeared later", "heap=off", { NULL },
	  { KERNELS_OTHER, OUR_HEAP, { HEAP, "" } } },
	{ "heap", "warn", 0, "This kernel has its heap, but there is no", "restart", { NULL }, { KERNELS_HEAP } },
	{ "heap", "fail", 1, "is neither the kernel's heap nor that of ccshm", "remove it", { NULL },
	  { KERNELS_OTHER, OUR_OTHER, { HEAP, "" } } },
	{ "heap", "fail", 1, "is neither", NULL, { NULL }, { KERNELS_OTHER, { HEAP, "" } } },
	{ "heap", "pass", 0, "is that of ccshm", NULL, { NULL }, { OUR_HEAP, { HEAP, "" } } },
	{ "heap", "warn", 0, "has its heap, but there is no", "container", { NULL }, { OUR_HEAP } },
	{ "heap", "warn", 0, "There is no", "heap=off", { NULL }, { { 0 } } },
	{ "heap", "skip", 0, "There is no", NULL, { no_driver }, { { 0 } } },
	{ "limits", "pass", 0, "all users together have 899 of 1000 MiB", NULL, { limited }, { { 0 } } },
	{ "limits", "warn", 0, "The memory of all users has reached 90 % of the limit", "limit_total_bytes",
	  { limited, total_near }, { { 0 } } },
	{ "limits", "warn", 0, "The memory of all users has reached 95 % of the limit", "limit_total_bytes",
	  { limited, huge_near }, { { 0 } } },
	{ "limits", "fail", 1, "The memory of all users has reached the limit", "/sys/class/misc/ccshm/limit_total_bytes",
	  { limited, total_reached }, { { 0 } } },
	{ "limits", "fail", 1, "Your memory has reached the limit", "limit_user_bytes",
	  { limited, user_reached }, { { 0 } } },
	{ "limits", "fail", 1, "The number of your buffers has reached the limit", "limit_user_buffers",
	  { limited, buffers_reached }, { { 0 } } },
	{ "limits", "fail", 1, "The number of your exports has reached the limit", "limit_user_exports",
	  { limited, exports_reached }, { { 0 } } },
	{ "limits", "warn", 0, "No limit is set", "limit_total_bytes", { limited, unlimited }, { { 0 } } },
	{ "limits", "warn", 0, "refused 12 allocations", "ccshmctl info", { limited, refused }, { { 0 } } },
	{ "limits", "skip", 0, "Cannot query the driver", NULL, { no_driver }, { { 0 } } },
	{ "losses", "pass", 0, "no memory was lost", NULL, { NULL }, { { 0 } } },
	{ "losses", "warn", 0, "5 MiB could not be made private again and are lost", "restart", { leaked }, { { 0 } } },
	{ "losses", "warn", 0, "3 MiB could not be made private again yet", "retries", { quarantined }, { { 0 } } },
	{ "losses", "warn", 0, "17 conversions have failed", NULL, { failed_once }, { { 0 } } },
	{ "losses", "skip", 0, "Cannot query the driver", NULL, { no_driver }, { { 0 } } },
};

/* ------------------------------------------------------------------------- */
/* Memory                                                                    */
/* ------------------------------------------------------------------------- */

#define BUDDY(zone, lines) { "/proc/buddyinfo", \
	"Node 0, zone " zone " 100 0 0 0 0 0 0 0 0 " lines "\n" }
#define MEMINFO(small, large) { "/proc/meminfo", \
	"MemTotal: 1 kB\nDirectMap4k:    " small " kB\nDirectMap2M:   " large " kB\n" }
#define VMSTAT	{ "/proc/vmstat", "nr_free_pages 1\ndirect_map_level2_splits 77\n" \
	"direct_map_level3_splits 1\n" }
#define SWIOTLB(slots, used, peak) \
	{ "/sys/kernel/debug/swiotlb/io_tlb_nslabs", slots "\n" }, \
	{ "/sys/kernel/debug/swiotlb/io_tlb_used", used "\n" }, \
	{ "/sys/kernel/debug/swiotlb/io_tlb_used_hiwater", peak "\n" }

/* One device of a kernel driver that bounces, and two that the check must ignore. */
static void bouncing_devices(void)
{
	fake.devices[0] = (struct ccshm_ioc_device){
		.device = "pci:0000:00:03.0",
		.driver = "nvme",
		.mode = CCSHM_DMA_MODE_DIRECT,
		.device_flags = CCSHM_DEVICE_BOUNCES | CCSHM_DEVICE_KERNEL_DRIVER,
		.dma_mask = 0xffffffff,
	};
	fake.devices[1] = fake.devices[0];
	strcpy(fake.devices[1].device, "pci:0000:00:04.0");
	fake.devices[1].device_flags = CCSHM_DEVICE_BOUNCES;
	fake.devices[2] = fake.devices[0];
	strcpy(fake.devices[2].device, "pci:0000:00:05.0");
	fake.devices[2].device_flags = CCSHM_DEVICE_KERNEL_DRIVER;
	put("/sys/bus/pci/devices/0000:00:03.0/", "");
	put("/sys/bus/pci/devices/0000:00:04.0/", "");
	put("/sys/bus/pci/devices/0000:00:05.0/", "");
}

static const struct story memory_stories[] = {
	{ "fragmentation", "pass", 0, "12 blocks of 2 MiB are free: 24 of 24 MiB", NULL, { NULL },
	  { BUDDY("Normal", "2 5") } },
	{ "fragmentation", "warn", 0, "0 blocks of 2 MiB", "compact_memory", { NULL }, { BUDDY("Normal", "0 0") } },
	{ "fragmentation", "warn", 0, "1 blocks of 2 MiB are free, of 12 MiB", NULL, { NULL },
	  { { "/proc/buddyinfo", "Node 0, zone DMA32 2560 0 0 0 0 0 0 0 0 1 0\n" } } },
	{ "fragmentation", "warn", 0, "0 blocks of 2 MiB", NULL, { NULL }, { BUDDY("Movable", "9 9") } },
	{ "fragmentation", "skip", 0, "buddyinfo", NULL, { NULL }, { { 0 } } },
	{ "fragmentation", "skip", 0, "buddyinfo", NULL, { NULL }, { { "/proc/buddyinfo", "\nnonsense 1 2\n" } } },
	{ "direct-map", "pass", 0, "1 % of memory is mapped by small pages; 77 leaves of 2 MiB and 1 of", NULL,
	  { NULL }, { MEMINFO("10", "990"), VMSTAT } },
	{ "direct-map", "warn", 0, "60 % of memory is mapped by small pages: 77", "restart", { NULL },
	  { MEMINFO("600", "400"), VMSTAT } },
	{ "direct-map", "skip", 0, "Cannot determine how this kernel maps", NULL, { NULL }, { { "/proc/meminfo", "MemTotal: 1 kB\n" } } },
	{ "direct-map", "skip", 0, "Cannot determine how this kernel maps", NULL, { NULL }, { { 0 } } },
	{ "direct-map", "skip", 0, "Cannot determine how this kernel maps", NULL, { NULL }, { MEMINFO("nonsense", "") } },
	{ "swiotlb", "pass", 0, "64 MiB) are 1 % full, and were 79 % at most", "\"advice\": null", { NULL },
	  { SWIOTLB("32768", "400", "26000") } },
	{ "swiotlb", "warn", 0, "1 % full, and were 80 %", "swiotlb=65536", { NULL },
	  { SWIOTLB("32768", "400", "26215") } },
	{ "swiotlb", "warn", 0, "are 98 % full", "bounce: pci:0000:00:03.0 (nvme). Give", { bouncing_devices },
	  { SWIOTLB("1000", "980", "980") } },
	{ "swiotlb", "fail", 1, "99 % full: DMA fails", "swiotlb=2000", { bouncing_devices },
	  { SWIOTLB("1000", "990", "1000") } },
	{ "swiotlb", "fail", 1, "99 % full: DMA fails", "\"advice\": \"Give devices", { no_driver },
	  { SWIOTLB("1000", "990", "1000") } },
	/* Kernels before 6.4 have no high-water mark; the counter can become negative. */
	{ "swiotlb", "warn", 0, "are 85 % full, and were 85 %", NULL, { NULL },
	  { { "/sys/kernel/debug/swiotlb/io_tlb_nslabs", "100\n" },
	    { "/sys/kernel/debug/swiotlb/io_tlb_used", "85\n" } } },
	{ "swiotlb", "pass", 0, "were 10 % at most", NULL, { NULL }, { SWIOTLB("100", "10", "18446744073709551615") } },
	{ "swiotlb", "skip", 0, "cannot determine how much", NULL, { NULL },
	  { SWIOTLB("100", "18446744073709551615", "10") } },
	{ "swiotlb", "pass", 0, "There are no bounce buffers", NULL, { NULL }, { SWIOTLB("0", "0", "0") } },
	{ "swiotlb", "skip", 0, "or debugfs is not mounted", NULL, { NULL }, { { 0 } } },
	{ "swiotlb", "skip", 0, "(swiotlb) are: Invalid", NULL, { NULL }, { SWIOTLB("nonsense", "1", "1") } },
};

/* ------------------------------------------------------------------------- */
/* Devices                                                                   */
/* ------------------------------------------------------------------------- */

static void one_device(uint32_t verdict, uint32_t mode, const char *reason)
{
	fake.devices[0] = (struct ccshm_ioc_device){
		.device = "pci:0000:00:03.0",
		.verdict = verdict,
		.mode = mode,
		.dma_mask = 0xffffffff,
	};
	strcpy(fake.devices[0].reason, reason);
	put("/sys/bus/pci/devices/0000:00:03.0/", "");
}

static void needing(void)
{
	one_device(CCSHM_DEVICE_NEEDS, CCSHM_DMA_MODE_DIRECT, "");
}

static void content(void)
{
	one_device(CCSHM_DEVICE_NEEDS_NOT, CCSHM_DMA_MODE_DIRECT, "it can reach all");
}

static void translated(void)
{
	one_device(CCSHM_DEVICE_CANNOT, CCSHM_DMA_MODE_IOMMU, "the device is behind an IOMMU");
}

static void of_vfio(void)
{
	one_device(CCSHM_DEVICE_CANNOT, CCSHM_DMA_MODE_USERSPACE, "its IOMMU belongs to user space");
}

static void incoherent(void)
{
	one_device(CCSHM_DEVICE_CANNOT, CCSHM_DMA_MODE_DIRECT, "the device is not cache-coherent");
}

static void without_dma(void)
{
	one_device(CCSHM_DEVICE_CANNOT, CCSHM_DMA_MODE_NONE, "the device has no DMA mask");
}

static void unlisted(void)
{
	strcpy(fake.devices[0].device, "platform:x");
	fake.devices[0].verdict = CCSHM_DEVICE_NEEDS;
	fake.devices[0].device_flags = CCSHM_DEVICE_MASK_DEFAULT;
	fake.devices[0].dma_mask = 0xffffffff;
	put("/sys/bus/platform/devices/x/", "");
}

static void gone_meanwhile(void)
{
	put("/sys/bus/pci/devices/0000:00:07.0/", "");
}

static void not_asked(void)
{
	needing();
	fake_fail_ioctl(CCSHM_IOC_DEVICE, -ENOTTY);
}

static const struct story device_stories[] = {
	{ "devices", "skip", 0, "Cannot query the driver.", NULL, { no_driver }, { { 0 } } },
	{ "devices", "pass", 0, "no devices", NULL, { NULL }, { { 0 } } },
	{ "devices", "pass", 0, "can use it", "\"object\": \"pci:0000:00:03.0\"", { needing }, { { 0 } } },
	{ "devices", "pass", 0, "needs no shared memory: it can reach all.", NULL, { content }, { { 0 } } },
	{ "devices", "warn", 0, "cannot use shared memory: the device is behind an IOMMU.", "iommu=pt", { translated }, { { 0 } } },
	{ "devices", "warn", 0, "belongs to user space", "vfio", { of_vfio }, { { 0 } } },
	{ "devices", "warn", 0, "not cache-coherent", "ccshmctl devices pci:0000:00:03.0", { incoherent }, { { 0 } } },
	{ "devices", "skip", 0, "does no DMA", NULL, { without_dma }, { { 0 } } },
	{ "devices", "pass", 0, "no devices", NULL, { unlisted }, { { 0 } } },
	{ "devices", "pass", 0, "no devices", NULL, { gone_meanwhile }, { { 0 } } },
	{ "devices", "skip", 0, "same release", NULL, { not_asked }, { { 0 } } },
};

/* ------------------------------------------------------------------------- */
/* Parameters and units                                                      */
/* ------------------------------------------------------------------------- */

#define MODPROBE(text)	{ "/etc/modprobe.d/ccshm.conf", "# x\noptions other limit_total_bytes=?\n" text "\n" }

static const struct story parameters_stories[] = {
	{ "parameters", "pass", 0, "No parameters", NULL, { NULL }, { { 0 } } },
	{ "parameters", "pass", 0, "are valid", NULL, { sev_guest },
	  { MODPROBE("options ccshm limit_total_bytes=8g limit_user_bytes=max\n"
		     "options\tccshm limit_user_buffers=12 heap=off allow_plain=0 allow_plain limit_user_bytes=1T") } },
	{ "parameters", "fail", 3, "The driver refuses limit_total_bytes=8GiB: the module does not load",
	  "limit_total_bytes takes a number, which K", { sev_guest },
	  { MODPROBE("options ccshm limit_total_bytes=8GiB") } },
	{ "parameters", "fail", 3, "\"object\": \"/etc/modprobe.d/ccshm.conf\"", NULL, { sev_guest },
	  { MODPROBE("options ccshm heap=off limit_user_bytes=0x1000") } },
	{ "parameters", "fail", 3, "limit_user_bytes=16777217T", NULL, { sev_guest },
	  { MODPROBE("options ccshm limit_user_bytes=16777217T") } },
	{ "parameters", "fail", 3, "limit_user_buffers=4K", NULL, { sev_guest },
	  { MODPROBE("options ccshm limit_user_buffers=4K") } },
	{ "parameters", "fail", 3, "heap=on", "auto or off", { sev_guest }, { MODPROBE("options ccshm heap=on") } },
	{ "parameters", "fail", 3, "allow_plain=sure", NULL, { sev_guest },
	  { MODPROBE("options ccshm allow_plain=sure") } },
	{ "parameters", "warn", 0, "will not load again", NULL, { NULL },
	  { MODPROBE("options ccshm limit_total_bytes=-1") } },
	{ "parameters", "fail", 3, "\"object\": \"/proc/cmdline\"", NULL, { sev_guest },
	  { { "/proc/cmdline", "ro quiet xccshm.heap=? ccshm.limit_total_bytes=much\n" } } },
	/* As in the kernel, '-' is '_' in a name, only a switch needs no value, and unknown parameters are ignored. */
	{ "parameters", "fail", 3, "The driver refuses limit-user-bytes=x: the module does not load", "limit_user_bytes takes",
	  { sev_guest }, { MODPROBE("options ccshm limit-user-bytes=x") } },
	{ "parameters", "fail", 3, "The driver refuses heap without a value: the module does not load", "heap takes auto or off",
	  { sev_guest }, { MODPROBE("options ccshm heap") } },
	{ "parameters", "pass", 0, "are valid", NULL, { sev_guest }, { MODPROBE("options ccshm allow-plain heaps limit_user=x") } },
	/* The driver reads at most 23 characters of a number. */
	{ "parameters", "pass", 0, "are valid", NULL, { sev_guest },
	  { MODPROBE("options ccshm limit_user_exports=00000000000000000000001") } },
	{ "parameters", "fail", 3, "limit_user_exports=000000000000000000000001", NULL, { sev_guest },
	  { MODPROBE("options ccshm limit_user_exports=000000000000000000000001") } },
	{ "parameters", "fail", 3, "pool_max_bytes=8MB", "pool_max_bytes takes", { sev_guest },
	  { MODPROBE("options ccshm pool_max_bytes=8MB pool_min_bytes=4M") } },
	/* The kernel strips quotes; spaces in quotes belong to the value. */
	{ "parameters", "pass", 0, "are valid", NULL, { sev_guest },
	  { MODPROBE("options ccshm limit_total_bytes=\"8G\" \"heap=off\" limit_user_bytes=\"max") } },
	{ "parameters", "fail", 3, "heap=\\\"off\\\"", NULL, { sev_guest }, { MODPROBE("options ccshm heap=\"\"off\"\"") } },
	{ "parameters", "fail", 3, "heap=auto off", NULL, { sev_guest },
	  { MODPROBE("options ccshm heap=\"auto off\"") } },
	{ "parameters", "pass", 0, "are valid", NULL, { sev_guest },
	  { { "/proc/cmdline", "ro ccshm.limit_total_bytes=\"8G\" \"ccshm.heap=off\"\n" } } },
	/* A backslash at the end of a line continues it. */
	{ "parameters", "fail", 3, "limit_total_bytes=eight", NULL, { sev_guest },
	  { MODPROBE("options ccshm \\\nlimit_total_bytes=eight") } },
	{ "parameters", "fail", 3, "heap=on", NULL, { sev_guest },
	  { MODPROBE("options \\\n\tccshm limit_user_bytes=1G \\\n\theap=o\\\nn") } },
	{ "parameters", "pass", 0, "No parameters", NULL, { sev_guest },
	  { MODPROBE("# not used: \\\noptions ccshm heap=on\\") } },
	/* A file overrides files of the same name in directories listed later. */
	{ "parameters", "pass", 0, "are valid", NULL, { sev_guest },
	  { MODPROBE("options ccshm heap=off"), { "/usr/lib/modprobe.d/ccshm.conf", "options ccshm heap=on\n" } } },
	{ "parameters", "fail", 3, "/usr/lib/modprobe.d/ccshm.conf", NULL, { sev_guest },
	  { { "/usr/lib/modprobe.d/ccshm.conf", "options ccshm heap=on\n" } } },
};

/* Replace systemctl by a script. */
static void systemctl_says(const char *script)
{
	char path[128];

	put("/run/systemd/system/", "");
	put("/bin/systemctl", script);
	shell("chmod 755 %s%s%s", "/bin/systemctl", "");
	snprintf(path, sizeof(path), "%s/bin:/usr/bin:/bin", top);
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
}

#define UNIT(name, load, active, result, file)						\
	"Id=ccshm-" name ".service\nLoadState=" load "\nActiveState=" active "\n"	\
	"Result=" result "\nUnitFileState=" file "\n"
#define SHOWS(units)	"#!/bin/sh\n[ \"$1\" = show ] || exit 1\ncat <<'END'\n" units "END\n"
#define MODULE_IS_FINE	UNIT("module", "loaded", "active", "success", "enabled") "\n"

static void units_work(void)
{
	systemctl_says(SHOWS(MODULE_IS_FINE UNIT("provision", "loaded", "inactive", "success", "disabled")));
}

static void provision_failed(void)
{
	systemctl_says(SHOWS(MODULE_IS_FINE UNIT("provision", "loaded", "failed", "exit-code", "enabled")));
}

static void module_failed(void)
{
	systemctl_says(SHOWS(UNIT("module", "loaded", "failed", "exit-code", "enabled") "\n"
			     UNIT("provision", "loaded", "inactive", "success", "enabled")));
}

static void no_units(void)
{
	systemctl_says(SHOWS(UNIT("module", "not-found", "inactive", "success", "") "\n"
			     UNIT("provision", "not-found", "inactive", "success", "")));
}

static void no_bus(void)
{
	systemctl_says("#!/bin/sh\nexit 1\n");
}

static const struct story units_stories[] = {
	{ "units", "skip", 0, "systemd does not run here", NULL, { NULL }, { { 0 } } },
	{ "units", "pass", 0, "\"object\": \"ccshm-provision.service\"", "it is active", { units_work }, { { 0 } } },
	{ "units", "fail", 1, "The unit has failed (exit-code)", "journalctl -b -u ccshm-provision.service",
	  { provision_failed }, { { 0 } } },
	{ "units", "fail", 1, "The unit has failed", "restart ccshm-module.service", { module_failed }, { { 0 } } },
	{ "units", "warn", 0, "buffers.d have no effect at boot", "enable --now ccshm-provision.service", { units_work },
	  { { "/etc/ccshm/buffers.d/a.conf", "" } } },
	{ "units", "pass", 0, "has not failed", NULL, { units_work }, { { "/etc/ccshm/buffers.d/README", "" } } },
	{ "units", "skip", 0, "are not installed", NULL, { no_units }, { { 0 } } },
	{ "units", "skip", 0, "Cannot ask systemd", NULL, { no_bus }, { { 0 } } },
};

#define STORIES(name)					\
START_TEST(name)					\
{							\
	tell(&name ## _stories[_i]);			\
}							\
END_TEST

STORIES(platform)
STORIES(module)
STORIES(signature)
STORIES(build)
STORIES(driver)
STORIES(memory)
STORIES(device)
STORIES(parameters)
STORIES(units)

/* ------------------------------------------------------------------------- */
/* All checks                                                                */
/* ------------------------------------------------------------------------- */

static const char *const packers[][2] = {
	{ "gzip", "gz" }, { "xz", "xz" }, { "zstd -q --rm", "zst" },
};

/* Read modules in the compression formats of the distributions. */
START_TEST(compressed_module_is_read)
{
	char command[256];

	sev_guest();
	put_module(MODULES "/updates/ccshm.ko", "6.12.2-other", true);
	snprintf(command, sizeof(command), "%s %s" MODULES "/updates/ccshm.ko", packers[_i][0], top);
	ck_assert_int_eq(system(command), 0);
	snprintf(command, sizeof(command), "updates/ccshm.ko.%s:\n", packers[_i][1]);
	put(MODULES "/modules.dep", command);
	put("/sys/module/module/parameters/sig_enforce", "Y\n");
	ck_assert_int_eq(cli_run("doctor", "module", "--json", NULL), EXIT_NO_DRIVER);
	check_finding("module", "fail", "was built for 6.12.2-other");
	ck_assert_int_eq(cli_run("doctor", "signature", "--json", NULL), 0);
	check_finding("signature", "warn", "The module is signed");
	/* A parent can leave SIGCHLD ignored. */
	cli_ignores_sigchld = true;
	ck_assert_int_eq(cli_run("doctor", "module", "--json", NULL), EXIT_NO_DRIVER);
	check_finding("module", "fail", "was built for 6.12.2-other");
}
END_TEST

static int lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* The table has a heading, a line for each finding, and a line below it for the advice. */
START_TEST(table_has_a_line_for_each_finding)
{
	node_of_root();
	good_module();
	ck_assert_int_eq(cli_run("doctor", "access", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	ck_assert_str_eq(cli.out,
		"RESULT CHECK  FINDING\n"
		"warn   access /dev/ccshm: Only root may open the node (mode 0600).\n"
		"              -> To permit other users, give the node to a group (ccshm) with a udev rule.\n");
	ck_assert_int_eq(cli_run("doctor", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "\npass   module "));
	ck_assert_int_ge(lines(cli.out), 16);
	ck_assert_ptr_null(strstr(cli.out, "\nfail "));
}
END_TEST

/* The exit code is that of the most severe failure: no driver, then no permission, then others. */
START_TEST(exit_code_is_that_of_the_worst_failure)
{
	put("/sys/kernel/debug/swiotlb/io_tlb_nslabs", "100\n");
	put("/sys/kernel/debug/swiotlb/io_tlb_used", "100\n");
	ck_assert_int_eq(cli_run("doctor", NULL), EXIT_FAILED);
	sev_guest();
	loaded();
	closed();
	ck_assert_int_eq(cli_run("doctor", NULL), EXIT_PERMISSION);
	closed();
	put("/proc/sys/kernel/osrelease", "5.10.0\n");
	ck_assert_int_eq(cli_run("doctor", NULL), EXIT_NO_DRIVER);
}
END_TEST

/* All checks are reported; a check that cannot determine its result does not fail. */
START_TEST(unknown_results_are_skipped)
{
	never_cpuid();
	put("/proc/sys/kernel/osrelease", "");
	ck_assert_int_eq(cli_run("doctor", "--json", NULL), EXIT_NO_DRIVER);
	check_finding("kernel", "skip", "Cannot determine");
	check_finding("module", "fail", "not installed");
	check_finding("devices", "skip", "Cannot query the driver");
}
END_TEST

START_TEST(usage)
{
	ck_assert_int_eq(cli_run("doctor", "house", NULL), EXIT_USAGE);
	ck_assert_ptr_nonnull(strstr(cli.err, "there is no check 'house'"));
	ck_assert_str_eq(cli.out, "");
	ck_assert_int_eq(cli_run("doctor", "heap", "swiotlb", NULL), EXIT_USAGE);
	ck_assert_int_eq(cli_run("doctor", "--help", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "\n  swiotlb "));
}
END_TEST

START_TEST(full_output_fails)
{
	cli_stdout = "/dev/full";
	ck_assert_int_eq(cli_run("doctor", NULL), EXIT_FAILED);
}
END_TEST

/* The device node can be opened, but INFO fails. */
START_TEST(failed_INFO_fails_the_check)
{
	fake_fail_ioctl(CCSHM_IOC_INFO, -EIO);
	ck_assert_int_ne(cli_run("doctor", "driver", "--json", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "\"result\": \"fail\""));
	ck_assert_uint_eq(cli.files, 0);
}
END_TEST

#define LOOP(c, name)	\
	tcase_add_loop_test(c, name, 0, (int)(sizeof(name ## _stories) / sizeof(name ## _stories[0])))

static void add(Suite *suite)
{
	TCase *c = tcase_create("doctor");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	LOOP(c, platform);
	LOOP(c, module);
	LOOP(c, signature);
	LOOP(c, build);
	LOOP(c, driver);
	LOOP(c, memory);
	LOOP(c, device);
	LOOP(c, parameters);
	LOOP(c, units);
	tcase_add_loop_test(c, compressed_module_is_read, 0,
			    (int)(sizeof(packers) / sizeof(packers[0])));
	tcase_add_test(c, table_has_a_line_for_each_finding);
	tcase_add_test(c, exit_code_is_that_of_the_worst_failure);
	tcase_add_test(c, unknown_results_are_skipped);
	tcase_add_test(c, usage);
	tcase_add_test(c, full_output_fails);
	tcase_add_test(c, failed_INFO_fails_the_check);
	suite_add_tcase(suite, c);
}

int main(void)
{
	return unit_main("cli_doctor", add);
}
