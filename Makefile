# SPDX-License-Identifier: GPL-2.0-only
# ccshm: shared memory for confidential VMs. "make help" lists the targets.

# make and the kernel's build split names at spaces.
ifneq ($(words $(CURDIR)),1)
$(error the path of this directory contains a space: move the sources to another one)
endif

KERNELS ?= 6.1 6.12 7.2 7.3
FLAVOURS ?= sev snp tdx cca
SUITES ?= all
# The kernel and flavour of "make demo" and "make shell". Debian's 6.12 does not run as a Realm.
FLAVOUR ?= sev
KERNEL ?= $(if $(filter cca,$(FLAVOUR)),7.2,6.12)

O := $(CURDIR)/build
export KERNELS FLAVOURS

# Build one part after the other, each with all jobs: several parts use the same directory.
.NOTPARALLEL:

all: lib cli

help:
	@echo 'make                 build the library and ccshmctl in build/'
	@echo 'make driver          build the kernel module for the running kernel (KDIR=... for another)'
	@echo 'make demo            use a shared buffer in a confidential guest (FLAVOUR=sev, snp, tdx, cca)'
	@echo 'make quick           run the unit tests, and the guest suites that a change affects (BASE=COMMIT)'
	@echo 'make check           run all tests; parts: check-unit check-harness check-probes cvm-selftest check-vm check-evidence'
	@echo 'make check-packages  install the packages in roots and images, boot, upgrade and remove them'
	@echo 'make ci              run all that a change must pass: make check, demos, static checks, check-packages'
	@echo '                     KERNELS="6.1 6.12 7.2 7.3" FLAVOURS="sev snp tdx cca" SUITES="all" select a part'
	@echo 'make check-debug     run the guest suites on a kernel with lockdep, KASAN, UBSAN and kmemleak, as an SEV guest and on two CPUs'
	@echo 'make soak            load an SEV guest, then an SNP guest, for an hour each (MINUTES=60 FLAVOUR=sev|snp)'
	@echo 'make nightly         run everything, in parts, except those that passed for this commit (PART=NAME)'
	@echo 'make mutants         break driver, library, ccshmctl and emulator one change at a time; a test must fail'
	@echo 'make sparse          check the driver statically, and its floors; make checkpatch: check its style'
	@echo 'make lint            analyse driver, library, ccshmctl and scripts statically, and compare the ABI of the library'
	@echo 'make fuzz-parsers    fuzz the parsers of the library and of ccshmctl, each for SECONDS=20, with libFuzzer'
	@echo 'make shell           start a shell in a confidential guest (KERNEL=6.12 FLAVOUR=sev)'
	@echo 'make install         install library, headers, ccshmctl, man pages, udev rule and units (DESTDIR, PREFIX)'
	@echo 'make activate        after "make install" on this machine: linker cache, group, udev rule, units'
	@echo 'make uninstall       remove what "make install" with the same variables installs'
	@echo 'make install-dkms    install the source of the driver in /usr/src, for dkms'
	@echo 'make deb             build Debian packages in build/deb/; with ARCH=arm64 in build/arm64/deb/'
	@echo 'make rpm             build RPM packages in build/rpm/'
	@echo 'make clean           remove build products; make distclean: also fetched kernels'

# Install the packages that the tests need. SETUP=no: they are installed.
setup:
	@[ '$(SETUP)' = no ] || tests/harness/setup

# The build itself installs nothing: packaging/need names what is missing.
lib:
	@CC='$(CC)' packaging/need cc mnl
	@$(MAKE) --no-print-directory -C lib O=$(O)

cli: lib
	@CC='$(CC)' packaging/need smartcols
	@$(MAKE) --no-print-directory -C cli O=$(O)

KDIR ?= /lib/modules/$(shell uname -r)/build
driver:
	$(MAKE) -C driver KDIR=$(KDIR)

demo: setup
	@tests/harness/run --transcript --kernel $(KERNEL) --flavour $(FLAVOUR) demo

# The same for other flavours, as parts of "make ci".
demo-snp demo-tdx demo-cca:
	@$(MAKE) --no-print-directory demo FLAVOUR=$(@:demo-%=%)

shell: setup
	@tests/harness/shell $(KERNEL) $(FLAVOUR)

CHECKS ?= cvm-selftest check-unit check-harness check-probes check-vm check-evidence
check: setup
	@tests/harness/check $(CHECKS)

# Run the tests that the change affects, on one kernel and flavour.
quick: setup
	@tests/harness/quick

# Everything that a change must pass.
ci:
	@$(MAKE) --no-print-directory check CHECKS="demo demo-snp demo-tdx demo-cca sparse checkpatch $(CHECKS) check-packages"

check-unit: setup cli
	@$(MAKE) --no-print-directory -C tests/unit O=$(O) check

check-harness: setup
	@tests/harness/selftest

check-probes: setup
	@tests/harness/probes

# The self-test depends little on the guest's kernel: it runs on the first and the last of
# KERNELS, and each night on all.
cvm-selftest: setup
	@KERNELS="$(firstword $(KERNELS))$(if $(word 2,$(KERNELS)), $(lastword $(KERNELS)))" tests/harness/matrix cvm-selftest cvm-selftest-smp

check-vm: setup
	@tests/harness/matrix $(SUITES)

# What the last check-vm of "make check" has proven. Without check-vm there are no results.
check-evidence:
	@tests/harness/evidence --optional $(or $(CCSHM_BUILD),$(O))/results/check-vm.log

# Needs roots, images and installations: not a part of "make check".
check-packages: setup
	@tests/packages/check

# Slow, and builds a kernel first: not a part of "make check".
check-debug: setup
	@tests/harness/run --kernel 6.12 --debug --flavour sev $(SUITES)
	@tests/harness/run --kernel 6.12 --debug --flavour plain --cpus 2 $(SUITES)

# Hours of load; FLAVOUR=sev or snp: in one guest only. "make check" does not run this.
MINUTES ?= 60
SOAK_FLAVOURS := $(if $(filter command environment,$(firstword $(origin FLAVOUR))),$(FLAVOUR),sev snp)
soak: setup
	@MINUTES='$(MINUTES)' FLAVOUR='$(SOAK_FLAVOURS)' tests/harness/soak

mutants: setup
	@tests/mutants/run

# In parts of less than 80 minutes: "tests/harness/nightly --list" names them.
nightly: setup
	@tests/harness/nightly $(PART)

sparse: setup
	@tests/harness/sparse $(KERNELS)

checkpatch: setup
	@tests/harness/checkpatch

# Static analysis of user space and scripts.
lint: setup
	@tests/harness/lint

# With ASan and UBSan; see tests/parsers.
SECONDS ?= 20
fuzz-parsers: setup
	@PARSER_SECONDS='$(SECONDS)' tests/harness/parsers

# Each part is installed from its own directory, and make splits names at spaces: a relative DESTDIR, or one with a
# space, would install, and remove, in other places.
ifneq ($(filter install% uninstall,$(MAKECMDGOALS)),)
ifneq ($(words $(DESTDIR))$(filter-out /%,$(DESTDIR)),$(if $(DESTDIR),1,0))
$(error DESTDIR='$(DESTDIR)' must be an absolute path without spaces)
endif
ifneq ($(words $(PREFIX))$(filter-out /%,$(PREFIX)),$(if $(PREFIX),1,0))
$(error PREFIX='$(PREFIX)' must be an absolute path without spaces)
endif
endif

# Install to DESTDIR, PREFIX (/usr/local), LIBDIR, INCLUDEDIR, BINDIR, DATADIR, MANDIR and the
# directories of packaging/Makefile. install-dkms installs the driver's source separately.
install: install-lib install-lib-dev install-cli install-man install-common

install-lib install-lib-dev: lib
	@$(MAKE) --no-print-directory -C lib O=$(O) $@

install-cli: cli
	@$(MAKE) --no-print-directory -C cli O=$(O) install

install-man install-common install-dkms activate:
	@$(MAKE) --no-print-directory -C packaging O=$(O) $@

# Install to a temporary directory, and remove the same files from DESTDIR. Without DESTDIR, also undo "make
# activate". Keep the administrator's files in /etc/ccshm, and the group. "make -n" runs a command that contains
# the variable MAKE: that one installs and removes nothing then, and the others are separate.
uninstall:
	@[ -n '$(DESTDIR)' ] || systemctl disable ccshm-module.service ccshm-provision.service || :
	@set -e; copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; \
	$(MAKE) -s --no-print-directory DESTDIR="$$copy" install; \
	cd "$$copy"; \
	find . ! -type d -printf '%P\n' | while IFS= read -r file; do rm -f "$(DESTDIR)/$$file"; done; \
	find . -depth -type d -name '*ccshm*' -printf '%P\n' | while IFS= read -r dir; do \
		find "$(DESTDIR)/$$dir" -depth -type d -empty -delete 2>/dev/null || :; \
	done
	@[ -n '$(DESTDIR)' ] || $(MAKE) --no-print-directory -C packaging deactivate

# Tests of an installed system; not a part of "make install".
tests-installed: lib
	@$(MAKE) --no-print-directory -C tests/installed O=$(O)

install-tests: tests-installed
	@$(MAKE) --no-print-directory -C tests/installed O=$(O) $@

# Build for ARCH, by default the architecture of this machine.
deb:
	@$(if $(filter-out $(shell dpkg --print-architecture),$(ARCH)),tests/packages/cross-deb $(ARCH),packaging/build-deb)

rpm:
	@[ ! -e /etc/debian_version ] || tests/harness/setup --only rpm
	@packaging/build-rpm

clean:
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name kernels ! -name roots ! -name sources ! -name apt -exec rm -rf {} +

distclean:
	rm -rf build

.PHONY: all help setup lib cli driver demo demo-snp demo-tdx demo-cca shell quick check ci check-unit check-harness check-probes cvm-selftest check-vm check-evidence check-packages check-debug \
	nightly soak mutants sparse checkpatch lint fuzz-parsers install install-lib install-lib-dev install-cli install-man install-common \
	install-dkms activate uninstall tests-installed install-tests deb rpm clean distclean
