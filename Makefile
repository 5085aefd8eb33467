# SPDX-License-Identifier: GPL-2.0-only
# ccshm: shared memory for confidential VMs. "make help" says what there is.

KERNELS ?= 6.1 6.12 7.2 7.3
FLAVOURS ?= sev tdx cca
SUITES ?= all
# One kernel and flavour, for "make demo" and "make shell"; Debian's 6.12 cannot be a Realm.
FLAVOUR ?= sev
KERNEL ?= $(if $(filter cca,$(FLAVOUR)),7.2,6.12)

O := $(CURDIR)/build
export KERNELS FLAVOURS

# One part after the other, each with all jobs: several are of the same directory.
.NOTPARALLEL:

all: lib cli

help:
	@echo 'make                 the library and ccshmctl, in build/'
	@echo 'make driver          the kernel module for the running kernel (KDIR=... for another)'
	@echo 'make demo            a confidential guest that uses a shared buffer, start to end (FLAVOUR=sev, tdx, cca)'
	@echo 'make quick           under 3 minutes: unit tests, and the guest suites that the change touches (BASE=COMMIT)'
	@echo 'make check           all tests; parts: check-unit check-harness check-probes cvm-selftest check-vm check-evidence'
	@echo 'make check-packages  installs the packages in roots and images, boots, upgrades and removes them'
	@echo 'make ci              make check, the demos, the static checks, check-packages: what a change has to pass'
	@echo '                     KERNELS="6.1 6.12 7.2 7.3" FLAVOURS="sev tdx cca" SUITES="all" narrow it'
	@echo 'make check-debug     the guest suites on a kernel with lockdep and KASAN, as SEV guest and on two CPUs'
	@echo 'make mutants         break driver, library, ccshmctl and emulator on purpose, see the tests notice'
	@echo 'make sparse          static checks of the driver; make checkpatch: its style'
	@echo 'make shell           a shell in a confidential guest (KERNEL=6.12 FLAVOUR=sev)'
	@echo 'make install         library, headers, ccshmctl, man pages, udev rule and units (DESTDIR, PREFIX)'
	@echo 'make install-dkms    the source of the driver into /usr/src, for dkms'
	@echo 'make deb             Debian packages, in build/deb/; with ARCH=arm64 in build/arm64/deb/'
	@echo 'make rpm             RPM packages, in build/rpm/'
	@echo 'make clean           remove what was built; make distclean: fetched kernels too'

# SETUP=no: what is needed is there (package builds).
setup:
	@[ '$(SETUP)' = no ] || tests/harness/setup

lib: setup
	@$(MAKE) --no-print-directory -C lib O=$(O)

cli: lib
	@$(MAKE) --no-print-directory -C cli O=$(O)

KDIR ?= /lib/modules/$(shell uname -r)/build
driver:
	$(MAKE) -C driver KDIR=$(KDIR)

demo: setup
	@tests/harness/run --transcript --kernel $(KERNEL) --flavour $(FLAVOUR) demo

# The same, as parts of "make ci".
demo-tdx demo-cca:
	@$(MAKE) --no-print-directory demo FLAVOUR=$(@:demo-%=%)

shell: setup
	@tests/harness/shell $(KERNEL) $(FLAVOUR)

CHECKS ?= check-unit check-harness check-probes cvm-selftest check-vm check-evidence
check: setup
	@tests/harness/check $(CHECKS)

# What the change touches, on one kernel and flavour.
quick: setup
	@tests/harness/quick

# What a change has to pass.
ci:
	@$(MAKE) --no-print-directory check CHECKS="demo demo-tdx demo-cca sparse checkpatch $(CHECKS) check-packages"

check-unit: cli
	@$(MAKE) --no-print-directory -C tests/unit O=$(O) check

check-harness: setup
	@tests/harness/selftest

check-probes: setup
	@tests/harness/probes

cvm-selftest: setup
	@tests/harness/matrix cvm-selftest cvm-selftest-smp

check-vm: setup
	@tests/harness/matrix $(SUITES)

# What the last check-vm of "make check" has proven.
check-evidence:
	@tests/harness/evidence $(or $(CCSHM_BUILD),$(O))/results/check-vm.log

# Roots, images, installations: not a part of "make check".
check-packages: setup
	@tests/packages/check

# Slow, and the kernel takes a while to build: not a part of "make check".
check-debug: setup
	@tests/harness/run --kernel 6.12 --debug --flavour sev $(SUITES)
	@tests/harness/run --kernel 6.12 --debug --flavour plain --cpus 2 $(SUITES)

mutants: setup
	@tests/mutants/run

sparse: setup
	@tests/harness/sparse $(KERNELS)

checkpatch: setup
	@tests/harness/checkpatch

# Where to: DESTDIR, PREFIX (/usr/local), LIBDIR, INCLUDEDIR, BINDIR, DATADIR, MANDIR and
# those of packaging/Makefile. The driver's source for DKMS goes by itself: install-dkms.
install: install-lib install-lib-dev install-cli install-man install-common

install-lib install-lib-dev: lib
	@$(MAKE) --no-print-directory -C lib O=$(O) $@

install-cli: cli
	@$(MAKE) --no-print-directory -C cli O=$(O) install

install-man install-common install-dkms:
	@$(MAKE) --no-print-directory -C packaging O=$(O) $@

# Tests of an installed system, also not part of "make install".
tests-installed: lib
	@$(MAKE) --no-print-directory -C tests/installed O=$(O)

install-tests: tests-installed
	@$(MAKE) --no-print-directory -C tests/installed O=$(O) $@

# Of this machine's architecture, if ARCH says no other.
deb:
	@[ '$(SETUP)' = no ] || tests/harness/setup deb
	@$(if $(filter-out $(shell dpkg --print-architecture),$(ARCH)),tests/packages/cross-deb $(ARCH),packaging/build-deb)

rpm:
	@[ ! -e /etc/debian_version ] || tests/harness/setup rpm
	@packaging/build-rpm

clean:
	find build -mindepth 1 -maxdepth 1 ! -name kernels ! -name roots ! -name apt -exec rm -rf {} + 2>/dev/null || true

distclean:
	rm -rf build

.PHONY: all help setup lib cli driver demo demo-tdx demo-cca shell quick check ci check-unit check-harness check-probes cvm-selftest check-vm check-evidence check-packages check-debug \
	mutants sparse checkpatch install install-lib install-lib-dev install-cli install-man install-common \
	install-dkms tests-installed install-tests deb rpm clean distclean
