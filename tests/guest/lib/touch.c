// SPDX-License-Identifier: GPL-2.0-only
#include "touch.h"

/* ---- touching memory: return 0 or the signal that the touch got ---- */

static __thread sigjmp_buf touch_env;
static __thread volatile sig_atomic_t touching;
__thread siginfo_t touch_info;

/* Print where the program got a signal that no touch expects. */
static void print_place(int sig, const siginfo_t *info, const ucontext_t *context)
{
#ifdef __x86_64__
	unsigned long pc = context->uc_mcontext.gregs[REG_RIP];
#else
	unsigned long pc = context->uc_mcontext.pc;
#endif

	char text[128];
	int n = snprintf(text, sizeof(text), "# signal %d for address %p at instruction 0x%lx\n", sig,
			 info->si_addr, pc);

	(void)!write(STDERR_FILENO, text, n);
}

static void touch_handler(int sig, siginfo_t *info, void *context)
{
	if (!touching) {
		print_place(sig, info, context);
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	touch_info = *info;
	siglongjmp(touch_env, sig);
}

void touch_init(void)
{
	struct sigaction sa = { .sa_sigaction = touch_handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}

int touch_read(const volatile void *p)
{
	int sig = sigsetjmp(touch_env, 1);

	if (!sig) {
		touching = 1;
		(void)*(const volatile unsigned char *)p;
	}
	touching = 0;
	return sig;
}

int touch_write(volatile void *p, unsigned char value)
{
	int sig = sigsetjmp(touch_env, 1);

	if (!sig) {
		touching = 1;
		*(volatile unsigned char *)p = value;
	}
	touching = 0;
	return sig;
}

int touch_copy(volatile uint64_t *to, const volatile uint64_t *from, size_t words)
{
	int sig = sigsetjmp(touch_env, 1);

	if (!sig) {
		touching = 1;
		for (size_t i = 0; i < words; i++)
			to[i] = from[i];
	}
	touching = 0;
	return sig;
}

int touch_call(const volatile void *p)
{
	int sig = sigsetjmp(touch_env, 1);

	if (!sig) {
		touching = 1;
		((void (*)(void))(uintptr_t)p)();
	}
	touching = 0;
	return sig;
}

bool touch_some(const volatile void *p, size_t size, size_t step, int want)
{
	for (size_t i = 0; i < size; i += step) {
		int sig = touch_read((const volatile unsigned char *)p + i);

		if (sig != want) {
			diag("page %zu: signal %d", i / PAGE, sig);
			return false;
		}
	}
	return true;
}

bool touch_all(const volatile void *p, size_t size, int want)
{
	return touch_some(p, size, PAGE, want);
}

/* ---- stamps ---- */

uint64_t stamp(uint64_t seed, uint64_t offset)
{
	uint64_t x = (seed << 40) + offset / 8 + 1;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

void stamp_write(volatile void *p, uint64_t seed, uint64_t offset, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		*(volatile uint64_t *)((volatile char *)p + i) = stamp(seed, offset + i);
}

bool stamp_check(const volatile void *p, uint64_t seed, uint64_t offset, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		uint64_t got = *(const volatile uint64_t *)((const volatile char *)p + i);

		if (got != stamp(seed, offset + i)) {
			diag("at offset 0x%llx of the buffer: 0x%016llx, expected 0x%016llx",
			     (unsigned long long)(offset + i), (unsigned long long)got,
			     (unsigned long long)stamp(seed, offset + i));
			return false;
		}
	}
	return true;
}

void stamp_pages(volatile void *p, uint64_t seed, uint64_t offset, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE) {
		stamp_write((volatile char *)p + i, seed, offset + i, 8);
		stamp_write((volatile char *)p + i + PAGE - 8, seed, offset + i + PAGE - 8, 8);
	}
}

bool stamp_pages_check(const volatile void *p, uint64_t seed, uint64_t offset, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		if (!stamp_check((const volatile char *)p + i, seed, offset + i, 8) ||
		    !stamp_check((const volatile char *)p + i + PAGE - 8, seed,
				 offset + i + PAGE - 8, 8))
			return false;
	return true;
}

/* ---- properties of this process and this kernel ---- */

bool kernel_at_least(int major, int minor)
{
	struct utsname u;
	int a = 0, b = 0;

	uname(&u);
	if (sscanf(u.release, "%d.%d", &a, &b) != 2)
		bail("unknown kernel release: %s", u.release);
	return a > major || (a == major && b >= minor);
}

const char *vm_flags(const void *p)
{
	static char flags[512];
	unsigned long start, end;
	bool here = false;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");

	flags[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (unsigned long)p && (unsigned long)p < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, sizeof(flags), "%s", line + 9);
	}
	if (f)
		fclose(f);
	flags[strcspn(flags, "\n")] = '\0';
	return flags;
}

bool has_vm_flag(const void *p, const char *flag)
{
	return strstr(vm_flags(p), flag) != NULL;
}

void *aligned_space(size_t size)
{
	char *p = mmap(NULL, size + UNIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start;

	if (p == MAP_FAILED)
		bail("no address space: %s", strerror(errno));
	start = (char *)(((uintptr_t)p + UNIT - 1) & ~(UNIT - 1));
	if (start > p)
		munmap(p, start - p);
	munmap(start + size, p + UNIT - start);
	return start;
}

void *map_aligned(int fd, size_t size, int prot, off_t offset)
{
	void *space = aligned_space(size);
	void *p = mmap(space, size, prot, MAP_SHARED | MAP_FIXED, fd, offset);

	return p == MAP_FAILED ? NULL : p;
}

int try_map(int fd, size_t size, int prot, int flags)
{
	void *p = mmap(NULL, size, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, size);
	return 0;
}
