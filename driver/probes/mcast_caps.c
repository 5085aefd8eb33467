// SPDX-License-Identifier: GPL-2.0-only
/* GENL_MCAST_CAP_SYS_ADMIN: only processes with CAP_SYS_ADMIN may join the multicast group. */
/* Lacking: kernels before 6.7 without its backport (6.1.67) */
#include <net/genetlink.h>

extern const struct genl_multicast_group probe;
const struct genl_multicast_group probe = { .flags = GENL_MCAST_CAP_SYS_ADMIN };
