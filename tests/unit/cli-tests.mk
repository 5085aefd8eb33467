# SPDX-License-Identifier: GPL-2.0-only
# Objects and libraries of the tests of ccshmctl.
test_cli_output_OBJS := cli-run
test_cli_run_OBJS := cli-run
test_cli_output_LIBS := -Wl,--wrap=ccshm_open -Wl,--wrap=ccshm_list_get -Wl,--wrap=open_memstream -lutil
test_cli_run_LIBS := -Wl,--wrap=ccshm_open -Wl,--wrap=ccshm_list_get -lutil
test_cli_devices_OBJS := cli-run
test_cli_devices_LIBS := -Wl,--wrap=ccshm_open -lutil
test_cli_doctor_OBJS := cli-run fake-root
test_cli_doctor_LIBS := -Wl,--wrap=ccshm_open -Wl,--wrap=ccshm_platform_detect -lutil
test_cli_netlink_OBJS := cli-run
test_cli_netlink_LIBS := -Wl,--wrap=ccshm_open -Wl,--wrap=ccshm_list_get \
	-Wl,--wrap=ccshm_stats_get -Wl,--wrap=ccshm_events_open \
	-Wl,--wrap=getpwuid -Wl,--wrap=getgrgid -lutil
test_cli_complete_OBJS := cli-run fake-root
test_cli_complete_LIBS := -Wl,--wrap=ccshm_open -Wl,--wrap=ccshm_list_get \
	-Wl,--wrap=ccshm_stats_get -Wl,--wrap=ccshm_events_open \
	-Wl,--wrap=geteuid -Wl,--wrap=getpwuid -lutil
test_cli_pool_OBJS := cli-run fake-root
test_cli_pool_LIBS := -Wl,--wrap=ccshm_open -lutil
test_cli_provision_OBJS := cli-run fake-root
test_cli_provision_LIBS := -Wl,--wrap=ccshm_open -lutil
test_cli_refusals_OBJS := cli-run fake-root
test_cli_refusals_LIBS := -Wl,--wrap=ccshm_open -lutil
