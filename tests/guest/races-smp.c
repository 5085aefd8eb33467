// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same on two processors, which no confidential guest of the emulator has.
 *
 * vm-modules: ccshm importer
 * vm-flavours: plain
 * vm-cpus: 2
 * vm-timeout: 400
 */
#include "races.c"
