// SPDX-License-Identifier: GPL-2.0-only
#include "kernelheap.h"

void kernel_result(const char *heap, const char *line, bool ours, bool vgem)
{
	const char *name = strchr(line, ' ') + (line[0] == 'n' ? 5 : 1);
	bool good = line[0] == 'o';

	name += strspn(name, "0123456789 ");
	if (good && strstr(line, "# SKIP")) {
		if (!vgem && strstr(line, "Could not open vgem"))
			skip("the kernel's test: import by vgem", "this kernel has no vgem loaded");
		else
			fail("the kernel's test, %s, skips without a known reason: %s", heap, line);
	} else if (!good && !ours && strstr(line, "fd leak on EFAULT")) {
		skip("the kernel's test, its own heap: fd leak on EFAULT",
		     "this kernel's own heaps leak the descriptor");
	} else if (!good && !ours && cvm_present() && !strcmp(heap, "system_cc_shared") &&
		   strstr(line, "validate all buffers are zeroed")) {
		skip("the kernel's test, its own heap: buffers are zeroed",
		     "this kernel zeroes the pages before it shares them");
	} else if (!good && !ours && vgem && cvm_present() && strstr(line, "Import buffer")) {
		expect_kmsg("swiotlb buffer is full");
		skip("the kernel's test, its own heap: import by vgem",
		     "the memory is private and larger than the bounce buffers");
	} else {
		ok(good, "the kernel's test, %s: %s", heap, name);
	}
}

void kernels_test(bool vgem)
{
	int plan = -1, heaps = 0, results = 0, our_results = 0, status;
	FILE *p = popen("/suites/dmabuf-heap 2>&1", "r");
	char line[512], heap[128] = "";

	if (!p)
		bail("popen: %s", strerror(errno));
	while (fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = '\0';
		sscanf(line, "1..%d", &plan);
		if (sscanf(line, "# Testing heap: %127s", heap) == 1) {
			heaps++;
		} else if (!strncmp(line, "ok ", 3) || !strncmp(line, "not ok ", 7)) {
			bool ours = !strcmp(heap, "system_cc_shared");

			kernel_result(heap, line, ours, vgem);
			results++;
			our_results += ours;
		} else {
			diag("%s", line);
		}
	}
	status = pclose(p);
	ok(WIFEXITED(status), "the kernel's test exits");
	is_int(results, plan, "the kernel's test reports each planned test");
	ok(heaps > 0 && our_results >= 11 && our_results == plan / heaps,
	   "the kernel's test has tested the heap of ccshm: %d tests", our_results);
	is_int(heaps, 1 + !access(HEAPS "system", F_OK),
	       "the kernel's test has tested each heap that exists");
}
