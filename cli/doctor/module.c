// SPDX-License-Identifier: GPL-2.0-only
/* Check whether the module is installed, built for this kernel, and permitted to load. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* Messages of the kernel about a module that it did not load; only some name the module. */
static const char *const refusals[] = {
	"ccshm: ", "Loading of ", "PKCS#7 signature not signed with a trusted key",
	"module loading is restricted", NULL,
};

/* The same search as a shell command. */
#define GREP_REFUSALS	"dmesg | grep -E \"ccshm|Loading of .* is rejected|PKCS#7|module loading is restricted\""

static void installed(struct doctor *doctor, const struct module_file *file)
{
	char text[512];

	if (*file->built_for && strcmp(file->built_for, doctor->release)) {
		doctor_fail(doctor, EXIT_NO_DRIVER,
			    "The module that is installed for Linux %s was built for %s.",
			    doctor->release, file->built_for);
		module_rebuild(doctor->release, text, sizeof(text));
		doctor_advise(doctor, "%s.", text);
		return;
	}
	doctor_fail(doctor, EXIT_NO_DRIVER, "The module is installed, but not loaded.");
	if (!kernel_log_last(refusals, text, sizeof(text)))
		doctor_advise(doctor, "Run `modprobe ccshm`. The newest message about it in the kernel's log is: %s",
			      text);
	else
		doctor_advise(doctor, "Run `modprobe ccshm`. If it fails, `%s` shows why.", GREP_REFUSALS);
}

static void absent(struct doctor *doctor, int err)
{
	char others[256], text[512];

	if (err != -ENOENT) {
		doctor_skip(doctor, "The list of modules of Linux %s cannot be read: %s.",
			    doctor->release, strerror(-err));
		return;
	}
	if (module_others(doctor->release, others, sizeof(others))) {
		doctor_fail(doctor, EXIT_NO_DRIVER,
			    "The module is installed for %s, but not for the running kernel, Linux %s.",
			    others, doctor->release);
		if (from_package())
			snprintf(text, sizeof(text), "Run `dkms autoinstall -k %s`", doctor->release);
		else
			module_install(text, sizeof(text));
		doctor_advise(doctor, "%s, or boot a kernel that has it.", text);
		return;
	}
	doctor_fail(doctor, EXIT_NO_DRIVER, "The module is not installed for any kernel.");
	module_install(text, sizeof(text));
	doctor_advise(doctor, "%s.", text);
}

/* Check whether the loaded module was built from other sources, as after an upgrade. */
static bool is_outdated(const struct module_file *file, char loaded[SRCVERSION_LEN])
{
	system_line(loaded, SRCVERSION_LEN, "/sys/module/ccshm/srcversion");
	return *loaded && *file->srcversion && strcmp(loaded, file->srcversion);
}

/* Advise how the installed module takes the place of the loaded one. */
static void advise_reload(struct doctor *doctor)
{
	char leaked[32];

	system_line(leaked, sizeof(leaked), "/sys/class/misc/ccshm/leaked_bytes");
	if (*leaked && strcmp(leaked, "0"))
		doctor_advise(doctor, "Restart the guest: the loaded module stays until then, because %s bytes of its "
			      "memory were leaked. If the initramfs contains ccshm, first make it again: "
			      "`update-initramfs -u` or `dracut -f`.", leaked);
	else
		doctor_advise(doctor, "Free all buffers and run `modprobe -r ccshm && modprobe ccshm`, or restart the "
			      "guest. If the initramfs contains ccshm, first make it again: `update-initramfs -u` or "
			      "`dracut -f`.");
}

static void loaded(struct doctor *doctor, const struct module_file *file, int err)
{
	char running[SRCVERSION_LEN], text[512];

	if (!err && *file->built_for && strcmp(file->built_for, doctor->release)) {
		doctor_warn(doctor, "The module is loaded, but the one that is installed for Linux %s "
			    "was built for %s.", doctor->release, file->built_for);
		module_rebuild(doctor->release, text, sizeof(text));
		doctor_advise(doctor, "%s; otherwise the module does not load when the guest restarts.", text);
	} else if (err) {
		doctor_warn(doctor, "The module is loaded, but not installed for Linux %s.",
			    doctor->release);
		module_install(text, sizeof(text));
		doctor_advise(doctor, "%s; otherwise the module does not load when the guest restarts.", text);
	} else if (is_outdated(file, running)) {
		doctor_warn(doctor, "The loaded module is not the installed one: it was built from other sources "
			    "(srcversion %s, installed %s), as after an upgrade.", running, file->srcversion);
		advise_reload(doctor);
	} else {
		doctor_pass(doctor, "The module is loaded and installed: %s.", file->path);
	}
}

void doctor_check_module(struct doctor *doctor)
{
	struct module_file file;
	int err = module_find(doctor->release, &file);

	if (doctor->loaded)
		loaded(doctor, &file, err);
	else if (doctor->no_guest)
		doctor_skip(doctor, "The module is not loaded, and would not load: there is nothing to share.");
	else if (err)
		absent(doctor, err);
	else
		installed(doctor, &file);
}

/* Get the word in brackets of "none [integrity] confidentiality"; "" if unknown. */
static void read_lockdown(char *mode, size_t len)
{
	char line[128], *open, *close;

	system_line(line, sizeof(line), "/sys/kernel/security/lockdown");
	open = strchr(line, '[');
	close = open ? strchr(open, ']') : NULL;
	snprintf(mode, len, "%.*s", close ? (int)(close - open - 1) : 0, open ? open + 1 : "");
}

/* Read the byte of data of the variable, after four bytes of attributes. */
static bool secure_boot(void)
{
	char bytes[8];

	return system_read(bytes, sizeof(bytes), "/sys/firmware/efi/efivars/"
			   "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c") == 5 &&
	       bytes[4] == 1;
}

struct policy {
	bool known;
	bool enforced;
	const char *why;	/* the reason why the kernel enforces signatures */
};

static void read_policy(struct policy *policy)
{
	char enforce[8], mode[32];

	read_lockdown(mode, sizeof(mode));
	policy->known = !system_line(enforce, sizeof(enforce),
				     "/sys/module/module/parameters/sig_enforce") || *mode;
	policy->enforced = *enforce == 'Y' || (*mode && strcmp(mode, "none"));
	if (secure_boot())
		policy->why = "Secure Boot is on";
	else if (*enforce == 'Y')
		policy->why = "module.sig_enforce is set";
	else
		policy->why = "it is locked down";
}

static void advise_key(struct doctor *doctor)
{
	switch (cloud_detect()) {
	case CLOUD_AZURE:
		doctor_advise(doctor, "On Azure a key cannot be added to an existing machine: sign the module, "
			      "add the certificate to the UEFI settings (db) of an image version in your "
			      "compute gallery, and create the machine from that version.");
		return;
	case CLOUD_GOOGLE:
		doctor_advise(doctor, "On Google Cloud the keys belong to the image: sign the module, create an "
			      "image with `gcloud compute images create --signature-database-file=` and the "
			      "certificates, and create the machine from that image.");
		return;
	default:
		break;
	}
	doctor_advise(doctor, "Sign the module and enrol the key: `mokutil --import %s`, restart, and confirm on "
		      "the console.", system_exists("/var/lib/shim-signed/mok/MOK.der") ?
		      "/var/lib/shim-signed/mok/MOK.der" : "/var/lib/dkms/mok.pub");
}

enum key_state {
	KEY_UNKNOWN,
	KEY_PRESENT,
	KEY_MISSING,
};

/*
 * Look for the signer's certificate among the keys that this user may see. Only root sees the keys
 * that are built into the kernel; if none is visible, the answer is unknown.
 */
static enum key_state find_key(const char *signer)
{
	char path[SYSTEM_PATH_LEN], *line = NULL, *key, *at;
	enum key_state state = KEY_UNKNOWN;
	size_t size = 0, len = strlen(signer);
	FILE *f;

	system_path(path, "/proc/keys");
	f = len ? fopen(path, "re") : NULL;
	if (!f)
		return KEY_UNKNOWN;
	while (state != KEY_PRESENT && getline(&line, &size, f) > 0) {
		key = strstr(line, " asymmetri ");
		if (!key)
			continue;
		state = KEY_MISSING;
		/* A line is "ORGANISATION: NAME: SERIAL: X509.rsa ...". */
		for (at = key; (at = strstr(at, signer)); at++)
			if (at[-1] == ' ' && at[len] == ':')
				state = KEY_PRESENT;
	}
	free(line);
	fclose(f);
	return state;
}

/* Messages of the kernel about a signed module whose key it does not have or trust. */
static const char *const key_refusals[] = {
	"Loading of module with unavailable key is rejected",
	"PKCS#7 signature not signed with a trusted key",
	"Loading of module with unsupported crypto is rejected",
	NULL,
};

static void signed_module(struct doctor *doctor, const struct module_file *file, const char *policy)
{
	const char *signer = *file->signer ? file->signer : "an unknown signer";
	enum key_state key = find_key(file->signer);
	char message[256];

	if (!kernel_log_last(key_refusals, message, sizeof(message)))
		doctor_fail(doctor, EXIT_NO_DRIVER, "The module is signed by %s, and the kernel has refused a key "
			    "(%s): %s.", signer, policy, message);
	else if (key == KEY_MISSING)
		doctor_fail(doctor, EXIT_NO_DRIVER, "The module is signed by %s, and the kernel has no key of that "
			    "name (%s).", signer, policy);
	else if (key == KEY_UNKNOWN)
		doctor_warn(doctor, "The module is signed by %s; cannot determine whether the kernel trusts the key "
			    "(%s).", signer, policy);
	else
		doctor_pass(doctor, "The module is signed by %s, and the kernel has a key of that name (%s).",
			    signer, policy);
	if (*message || key != KEY_PRESENT)
		advise_key(doctor);
}

static void signature_of_loaded(struct doctor *doctor)
{
	char taint[32];

	/* The kernel marks each module that it loaded without a valid signature. */
	if (system_line(taint, sizeof(taint), "/sys/module/ccshm/taint"))
		doctor_skip(doctor, "Cannot determine how the kernel judged the module's signature.");
	else if (strchr(taint, 'E'))
		doctor_pass(doctor, "The module has no signature that the kernel accepts, and the kernel does not require one.");
	else
		doctor_pass(doctor, "The kernel has accepted the module.");
}

void doctor_check_signature(struct doctor *doctor)
{
	struct module_file file;
	struct policy policy;
	int err;

	if (doctor->loaded) {
		signature_of_loaded(doctor);
		return;
	}
	if (doctor->no_guest) {
		doctor_skip(doctor, "No module is needed here, signed or not.");
		return;
	}
	read_policy(&policy);
	if (!policy.known) {
		doctor_skip(doctor, "Cannot determine whether this kernel requires signed modules.");
		return;
	}
	if (!policy.enforced) {
		doctor_pass(doctor, "This kernel loads modules without a signature.");
		return;
	}
	err = module_find(doctor->release, &file);
	if (err) {
		doctor_warn(doctor, "This kernel loads only modules that are signed with a key it trusts: %s.",
			    policy.why);
	} else if (!file.known) {
		doctor_warn(doctor, "This kernel loads only signed modules (%s); cannot determine whether the "
			    "module is signed.", policy.why);
	} else if (!file.is_signed) {
		doctor_fail(doctor, EXIT_NO_DRIVER,
			    "The module is not signed, and this kernel loads only signed modules: %s.", policy.why);
	} else {
		signed_module(doctor, &file, policy.why);
		return;
	}
	advise_key(doctor);
}

void doctor_check_lockdown(struct doctor *doctor)
{
	char mode[32];

	read_lockdown(mode, sizeof(mode));
	if (!*mode) {
		doctor_skip(doctor, "Cannot determine whether the kernel is locked down: it has no lockdown, or "
			    "securityfs is not mounted.");
	} else if (!strcmp(mode, "none")) {
		doctor_pass(doctor, "The kernel is not locked down.");
	} else {
		doctor_warn(doctor, "The kernel is locked down (%s): programs cannot map a device's registers "
			    "through sysfs.", mode);
		doctor_advise(doctor, "Userspace drivers must use vfio.");
	}
}
