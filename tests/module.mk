# SPDX-License-Identifier: GPL-2.0-only
# Build one of the test modules by hand; for the suites tests/vm/build-module does it.
#   make -C tests/probe -f ../module.mk [KDIR=/lib/modules/VERSION/build] [W=1]

KDIR ?= /lib/modules/$(shell uname -r)/build

modules clean:
	$(MAKE) -C $(KDIR) M=$(CURDIR) $@

.PHONY: modules clean
