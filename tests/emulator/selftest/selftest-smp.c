// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's self-test for several CPUs (CCA, SNP, TDX): traps that one CPU arms or opens apply to
 * all CPUs; every wrong access is counted, and no right access.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "selftest-ops.h"

#define CPUS		4
#define TIMES		200
#define ROUNDS		40
#define LARGE		(PAGES * (long long)ST_PAGE_SIZE)
#define CPU3_ONLINE	"/sys/devices/system/cpu/cpu3/online"

static enum cvm_flavour flavour;
static volatile uint64_t *right, *wrong;	/* shared and private mapping of slot 0 */
static atomic_bool over;
static pthread_barrier_t together;

/* Wait in a loop: QEMU lets another processor run. */
static void relax(void)
{
#ifdef __aarch64__
	__asm__ volatile("yield");
#else
	__asm__ volatile("pause");
#endif
}

static int pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

struct job {
	pthread_t thread;
	int cpu;
	void (*run)(int cpu);
};

static void *job(void *arg)
{
	struct job *j = arg;

	if (pin(j->cpu))
		bail("no CPU %d", j->cpu);
	j->run(j->cpu);
	return NULL;
}

static void begin(struct job *j, int cpu, void (*run)(int cpu))
{
	*j = (struct job){ .cpu = cpu, .run = run };
	if (pthread_create(&j->thread, NULL, job, j))
		bail("no thread");
}

static void on_cpu(int cpu, void (*run)(int cpu))
{
	struct job j;

	begin(&j, cpu, run);
	pthread_join(j.thread, NULL);
}

static void on_all(void (*run)(int cpu))
{
	struct job jobs[CPUS];
	int i;

	for (i = 0; i < CPUS; i++)
		begin(&jobs[i], i, run);
	for (i = 0; i < CPUS; i++)
		pthread_join(jobs[i].thread, NULL);
}

static void rearm(int cpu)
{
	(void)cpu;
	cvm_rearm();
}

static void make_private(int cpu)
{
	(void)cpu;
	convert(0, 0, PAGES, 0);
}

static void make_shared(int cpu)
{
	(void)cpu;
	convert(0, 0, PAGES, 1);
}

/*
 * Let another CPU change an entry that is in this CPU's TLB. This CPU keeps running
 * meanwhile, because switching to another process would flush its TLB.
 */
static atomic_int stage;
static void (*change)(int cpu);

static void change_when_told(int cpu)
{
	stage = 1;
	while (stage == 1)
		relax();
	change(cpu);
	stage = 3;
}

static void prepare_other(struct job *j, int cpu, void (*run)(int cpu))
{
	stage = 0;
	change = run;
	begin(j, cpu, change_when_told);
	while (stage != 1)
		relax();
}

static void let_other_change(void)
{
	stage = 2;
	while (stage != 3)
		relax();
}

static void test_others_see(void)
{
	struct job other;
	int cpu;

	for (cpu = 1; cpu < CPUS; cpu++) {
		prepare_other(&other, cpu, rearm);
		arm(TRAPS);
		(void)wrong[0];
		let_other_change();
		(void)wrong[0];
		is_int(since(CVM_VIOL_PRIVATE_ALIAS), 2,
		       "CPU %d arms the traps: CPU 0 is trapped", cpu);
		pthread_join(other.thread, NULL);

		prepare_other(&other, cpu, make_private);
		arm(TRAPS);
		(void)right[0];
		let_other_change();
		(void)right[0];
		is_int(since(CVM_VIOL_SHARED_ALIAS), 1,
		       "CPU %d makes the page private: CPU 0 is trapped", cpu);
		is_int(since(CVM_VIOL_PRIVATE_ALIAS), 0,
		       "CPU %d makes the page private: no violation of the other kind", cpu);
		pthread_join(other.thread, NULL);
		on_cpu(cpu, make_shared);
	}
}

static void rescind(int cpu)
{
	(void)cpu;
	st_must(ST_PVALIDATE, (struct st_call){ .slot = 1, .view = ST_DIRECT, .page = 7 });
}

/* SNP: a page is in this CPU's TLB while another CPU rescinds its validation. */
static void test_others_see_rescinding(void)
{
	volatile uint64_t *private;
	struct job other;

	if (flavour != CVM_SNP) {
		skip("CPU 1 rescinds the validation of a page", "only an SNP guest validates its pages");
		return;
	}
	st_alloc(1);
	private = user_map(1, 1);
	prepare_other(&other, 1, rescind);
	arm(TRAPS);
	(void)private[7 * ST_PAGE_WORDS];
	is_int(since(CVM_VIOL_UNVALIDATED), 0, "CPU 0 reads a validated page: no violation");
	/* Reading a counter is an exit, which flushes the TLB. */
	(void)private[7 * ST_PAGE_WORDS];
	let_other_change();
	(void)private[7 * ST_PAGE_WORDS];
	is_int(since(CVM_VIOL_UNVALIDATED), 1, "CPU 1 rescinds the validation of a page: CPU 0 is trapped");
	pthread_join(other.thread, NULL);
	st_must(ST_PVALIDATE, (struct st_call){ .slot = 1, .view = ST_DIRECT, .page = 7, .arg = ST_VALIDATE });
	munmap((void *)private, LARGE);
	st_free(1);
}

static void read_same(int cpu)
{
	(void)cpu;
	pthread_barrier_wait(&together);
	(void)wrong[5 * ST_PAGE_WORDS];
}

static void write_own(int cpu)
{
	int i;

	pthread_barrier_wait(&together);
	for (i = 0; i < TIMES; i++)
		wrong[(8 + cpu) * ST_PAGE_WORDS + i] = 1;
}

static void test_all_at_once(void)
{
	arm(TRAPS);
	on_all(read_same);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1, "all CPUs read one page at once: one violation");
	arm(TRAPS | CVM_MODE_STEP);
	on_all(write_own);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), CPUS * TIMES,
	       "all CPUs write at once in step mode: a violation for each write");
	is_int(since(CVM_VIOL_SHARED_ALIAS), 0,
	       "all CPUs write at once in step mode: no violation of the other kind");
}

/*
 * Each CPU but the first uses its own page while the first CPU converts other pages: the data
 * must stay correct, and no access may be counted.
 */
static atomic_int mistakes;

static void use_own(int cpu)
{
	volatile uint64_t *p = &right[(16 + cpu) * ST_PAGE_WORDS];
	uint64_t i = 0;

	while (!over) {
		p[i % ST_PAGE_WORDS] = i;
		if (p[i % ST_PAGE_WORDS] != i)
			mistakes++;
		i++;
	}
}

static void test_right_while_converting(void)
{
	struct job jobs[CPUS];
	int i;

	st_alloc(1);
	arm(TRAPS | CVM_MODE_STEP | CVM_MODE_SCRAMBLE | (flavour == CVM_CCA ? CVM_MODE_ZERO : 0));
	for (i = 1; i < CPUS; i++)
		begin(&jobs[i], i, use_own);
	for (i = 0; i < ROUNDS; i++) {
		convert(1, i, PAGES - i, 1);
		fill(1, ST_DIRECT, i, i);
		convert(1, i, PAGES - i, 0);
	}
	over = true;
	for (i = 1; i < CPUS; i++)
		pthread_join(jobs[i].thread, NULL);
	is_int(mistakes, 0, "%d conversions: other CPUs read the data that they wrote", 2 * ROUNDS);
	is_int(violations(), 0, "conversions while other CPUs run: no violation");
	is_int(since(CVM_PAGES_TO_SHARED) - since(CVM_PAGES_TO_PRIVATE), 0,
	       "conversions while other CPUs run: as many pages to private as to shared");
	cvm_set_mode(TRAPS);
	st_free(1);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), written;

	if (fd < 0)
		return 0;
	written = write(fd, text, strlen(text)) > 0;
	close(fd);
	return written;
}

static void read_wrong(int cpu)
{
	(void)wrong[(24 + cpu) * ST_PAGE_WORDS];
}

static void test_cpu_goes_and_comes(void)
{
	/* In an SNP guest the kernel panics when a CPU goes offline for the third time. */
	int i, times = flavour == CVM_SNP ? 2 : 3;

	for (i = 0; i < times; i++) {
		ok(write_file(CPU3_ONLINE, "0"), "CPU 3 goes offline");
		ok(write_file(CPU3_ONLINE, "1"), "CPU 3 comes online");
	}
	arm(TRAPS);
	on_cpu(3, read_wrong);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1, "CPU 3 after going offline and online: trapped");
}

/* On CPUs that can change the size of a mapping in use, Linux maps memory in units of 2 MiB. */
static void test_large_leaves(void)
{
	if (flavour != CVM_CCA)
		return;
	st_alloc(1);
	is_int(leaf_of(1, 9), LARGE, "cvm_leaf of the direct map: 2 MiB, private");
	convert(1, 0, PAGES, 1);
	is_int(leaf_of(1, 9), LARGE | CVM_LEAF_SHARED, "cvm_leaf of a shared block: 2 MiB, shared");
	convert(1, 0, PAGES, 0);
	is_int(leaf_of(1, 9), LARGE, "cvm_leaf of a block that is private again: 2 MiB, private");
	convert(1, 0, PAGES / 2, 1);
	is_int(leaf_of(1, 9), ST_PAGE_SIZE | CVM_LEAF_SHARED,
	       "cvm_leaf in the shared half of a block: 4 KiB, shared");
	is_int(leaf_of(1, PAGES - 1), ST_PAGE_SIZE,
	       "cvm_leaf in the private half of a block: 4 KiB, private");
	convert(1, 0, PAGES / 2, 0);
	st_free(1);
}

int main(void)
{
	unsigned int mode;

	flavour = cvm_flavour();
	dev = load_module();
	if (dev < 0)
		bail("%s: %s", MODULE_FILE, strerror(errno));
	is_int(sysconf(_SC_NPROCESSORS_ONLN), CPUS, "all CPUs are online");
	expect_violations("private_alias");
	expect_violations("shared_alias");
	if (flavour == CVM_SNP)
		expect_violations("unvalidated");
	if (pin(0))
		bail("no CPU 0");
	pthread_barrier_init(&together, NULL, CPUS);
	mode = cvm_set_mode(TRAPS);
	test_large_leaves();
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	right = user_map(0, 0);
	wrong = user_map(0, 1);
	/* Write all pages first, so that only the accesses of the tests are counted. */
	fill(0, ST_DIRECT, PAGES, 1);
	test_others_see();
	test_others_see_rescinding();
	test_all_at_once();
	test_right_while_converting();
	test_cpu_goes_and_comes();
	cvm_set_mode(TRAPS);
	munmap((void *)right, LARGE);
	munmap((void *)wrong, LARGE);
	convert(0, 0, PAGES, 0);
	st_free(0);
	cvm_set_mode(mode);
	return done_testing();
}
