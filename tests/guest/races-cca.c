// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same in a confidential guest with four processors, whose accesses are watched.
 *
 * vm-modules: ccshm importer
 * vm-flavours: cca
 * vm-cpus: 4
 * vm-timeout: 400
 */
#include "races.c"
