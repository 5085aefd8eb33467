// SPDX-License-Identifier: GPL-2.0-only
#include "directmap.h"
#include "raw.h"
#include "touch.h"

/* ---- time ---- */

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t in_ms(int64_t ms)
{
	return now_ns() + ms * 1000000;
}

void one_processor(void)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		bail("sched_setaffinity(): %s", strerror(errno));
}

void sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

bool debug_kernel(void)
{
	return !access("/proc/lockdep", F_OK);
}

/*
 * Return the bound to apply instead of @ms. A debug kernel is several times slower: bounds of a second
 * and more are five times as long, as the harness' limits are. Shorter ones are for polling.
 */
static int bound(int ms)
{
	return ms >= 1000 && debug_kernel() ? 5 * ms : ms;
}

/* ---- ioctls: return 0 or a negative errno ---- */

int raw_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

unsigned long raw_sized(unsigned long request, unsigned int size)
{
	return _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request), size);
}

int raw_open(void)
{
	int fd = open(CCSHM_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int raw_info(int fd, struct ccshm_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	return raw_ioctl(fd, CCSHM_IOC_INFO, info);
}

int raw_alloc(int fd, uint64_t size, uint64_t *id)
{
	struct ccshm_ioc_alloc req = { .size = size };
	int err = raw_ioctl(fd, CCSHM_IOC_ALLOC, &req);

	*id = req.id;
	return err;
}

int raw_alloc_named(int fd, uint64_t size, const char *name, unsigned int mode, uint64_t *id)
{
	struct ccshm_ioc_alloc req = {
		.size = size, .flags = CCSHM_ALLOC_PERSISTENT, .mode = mode,
	};
	int err;

	snprintf(req.name, sizeof(req.name), "%s", name ? name : "");
	err = raw_ioctl(fd, CCSHM_IOC_ALLOC, &req);
	*id = req.id;
	return err;
}

int raw_free(int fd, uint64_t id)
{
	struct ccshm_ioc_free req = { .id = id };

	return raw_ioctl(fd, CCSHM_IOC_FREE, &req);
}

int raw_free_any(int fd, uint64_t id)
{
	int err = raw_free(fd, id);

	return err == -ENOENT ? 0 : err;
}

int raw_find(int fd, const char *name, long uid, uint64_t *id)
{
	struct ccshm_ioc_open req = { 0 };
	int err;

	snprintf(req.name, sizeof(req.name), "%s", name);
	if (uid >= 0) {
		req.flags = CCSHM_OPEN_UID;
		req.uid = uid;
	}
	err = raw_ioctl(fd, CCSHM_IOC_OPEN, &req);
	*id = req.id;
	return err;
}

int raw_query(int fd, uint64_t id, struct ccshm_ioc_query *q)
{
	memset(q, 0, sizeof(*q));
	q->id = id;
	return raw_ioctl(fd, CCSHM_IOC_QUERY, q);
}

int raw_query_next(int fd, uint32_t type, uint64_t after, struct ccshm_ioc_query *q)
{
	memset(q, 0, sizeof(*q));
	q->id = after;
	q->flags = CCSHM_QUERY_NEXT;
	q->next_type = type;
	return raw_ioctl(fd, CCSHM_IOC_QUERY, q);
}

int raw_export_slice(int fd, uint64_t id, uint64_t flags, uint64_t offset, uint64_t size,
		     uint64_t *export_id)
{
	struct ccshm_ioc_export req = {
		.id = id, .flags = flags, .offset = offset, .size = size,
	};
	int err = raw_ioctl(fd, CCSHM_IOC_EXPORT, &req);

	if (export_id)
		*export_id = req.export_id;
	return err ? err : req.fd;
}

int raw_export(int fd, uint64_t id, uint64_t flags, uint64_t *export_id)
{
	return raw_export_slice(fd, id, flags, 0, 0, export_id);
}

int raw_device(int fd, const char *name, struct ccshm_ioc_device *device)
{
	memset(device, 0, sizeof(*device));
	snprintf(device->device, sizeof(device->device), "%s", name);
	return raw_ioctl(fd, CCSHM_IOC_DEVICE, device);
}

int raw_revoke(int fd, uint64_t id, uint64_t flags, int64_t deadline_ns,
	       struct ccshm_ioc_revoke *result)
{
	struct ccshm_ioc_revoke req = { .id = id, .flags = flags, .deadline_ns = deadline_ns };
	int err = raw_ioctl(fd, CCSHM_IOC_REVOKE, &req);

	if (result)
		*result = req;
	return err;
}

int raw_attach(int fd, uint64_t id, const char *device, uint64_t *attachment_id)
{
	struct ccshm_ioc_attach req = { .id = id };
	int err;

	snprintf(req.device, sizeof(req.device), "%s", device);
	err = raw_ioctl(fd, CCSHM_IOC_ATTACH, &req);
	if (attachment_id)
		*attachment_id = req.attachment_id;
	return err ? err : req.fd;
}

int raw_segments(int fd, uint64_t id, struct ccshm_ioc_segment *segments, unsigned int first,
		 unsigned int capacity, unsigned int *total)
{
	struct ccshm_ioc_segments req = {
		.id = id, .segments = (uintptr_t)segments, .first = first, .capacity = capacity,
	};
	int err = raw_ioctl(fd, CCSHM_IOC_SEGMENTS, &req);

	if (total)
		*total = req.total;
	return err ? err : (int)req.count;
}

int raw_detach(int fd, uint64_t id)
{
	struct ccshm_ioc_detach req = { .id = id };

	return raw_ioctl(fd, CCSHM_IOC_DETACH, &req);
}

int raw_pages(int fd, uint64_t id, uint64_t offset, uint64_t size, struct ccshm_ioc_run *runs,
	      unsigned int capacity, uint64_t *next)
{
	struct ccshm_ioc_pages req = {
		.id = id, .offset = offset, .size = size, .runs = (uintptr_t)runs,
		.capacity = capacity,
	};
	int err = raw_ioctl(fd, CCSHM_IOC_PAGES, &req);

	if (next)
		*next = req.next;
	return err ? err : (int)req.count;
}

int raw_importers(int fd, uint64_t id, struct ccshm_ioc_importer *importers, unsigned int first,
		  unsigned int capacity, unsigned int *total)
{
	struct ccshm_ioc_importers req = {
		.id = id, .importers = (uintptr_t)importers, .first = first, .capacity = capacity,
	};
	int err = raw_ioctl(fd, CCSHM_IOC_IMPORTERS, &req);

	if (total)
		*total = req.total;
	return err ? err : (int)req.count;
}

void *raw_map(int fd, size_t size, int prot)
{
	void *p = mmap(NULL, size, prot, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* ---- the driver ---- */

int raw_insmod(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return err;
}

int raw_rmmod(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

int device_for_group(void)
{
	for (int i = 0; i < 100 && access(CCSHM_DEVICE, F_OK); i++)
		sleep_ms(20);
	if (chown(CCSHM_DEVICE, 0, GID_CCSHM) || chmod(CCSHM_DEVICE, 0660))
		return -errno;
	return 0;
}

void driver_load(void)
{
	driver_load_with("");
}

void driver_load_with(const char *params)
{
	char all[256];
	int err;

	snprintf(all, sizeof(all), "%s %s", params, cvm_present() ? "" : "allow_plain=1");
	err = raw_insmod("/lib/ccshm/ccshm.ko", all);
	if (err && err != -EEXIST)
		bail("cannot load ccshm.ko: %s", strerror(-err));
	err = device_for_group();
	if (err)
		bail("%s: %s", CCSHM_DEVICE, strerror(-err));
}

int driver_unload(void)
{
	return raw_rmmod("ccshm");
}

/* ---- counters ---- */

long long vmstat(const char *name)
{
	long long value, found = -1;
	char key[128];
	FILE *f = fopen("/proc/vmstat", "r");

	if (!f)
		return -1;
	while (fscanf(f, "%127s %lld", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(f);
	return found;
}

long long direct_map_splits(void)
{
#ifdef __aarch64__
	return cvm_present() ? direct_map_split_units() : -1;
#else
	return vmstat("direct_map_level2_splits");
#endif
}

void direct_map_settle(void)
{
	long long splits = direct_map_splits();
	int same = 0;

	/*
	 * Count sleeps instead of the time: while the host runs other programs, time passes
	 * without progress in the guest, but in each sleep other tasks can run.
	 */
	for (int i = 0; i < 500 && same < 25; i++) {
		long long now;

		sleep_ms(20);
		now = direct_map_splits();
		same = now == splits ? same + 1 : 0;
		splits = now;
	}
}

bool refusals_return(void)
{
	return cvm_flavour() == CVM_TDX || cvm_flavour() == CVM_CCA;
}

void expect_refusal(void)
{
	expect_kmsg(cvm_flavour() == CVM_CCA ?
		    "Failed to (en|de)crypt memory, [0-9]+ pages will be leaked" :
		    "CPA VMM failure to convert memory");
}

bool snp_large_entries(void)
{
	return kernel_at_least(6, 12);
}

uint64_t rig(enum cvm_counter counter)
{
	return cvm_present() ? cvm_counter(counter) : 0;
}

int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = -1;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

bool wait_buffers(int fd, unsigned int nr)
{
	struct ccshm_ioc_info info = { 0 };

	for (int i = 0; i < 1000; i++) {
		if (raw_info(fd, &info))
			return false;
		if (info.buffers == nr)
			return true;
		sleep_ms(10);
	}
	diag("%u buffers, expected %u", info.buffers, nr);
	return false;
}

bool wait_held(int fd, uint64_t bytes_shared, struct ccshm_ioc_info *info)
{
	for (int i = 0; i < 1000; i++) {
		if (raw_info(fd, info))
			return false;
		if (info->bytes_shared == bytes_shared)
			return true;
		sleep_ms(10);
	}
	return false;
}

bool wait_gone(int fd, uint64_t id)
{
	struct ccshm_ioc_query q;

	for (int i = 0; i < 1000 && raw_query(fd, id, &q) != -ENOENT; i++)
		sleep_ms(10);
	return raw_query(fd, id, &q) == -ENOENT;
}

bool wait_clean(int fd)
{
	struct ccshm_ioc_info info = { 0 };

	for (int i = 0; i < 1000; i++) {
		if (raw_info(fd, &info))
			return false;
		if (!info.bytes_shared && !info.buffers && !info.exports && !info.attachments)
			break;
		sleep_ms(10);
	}
	if (!info.bytes_shared && !info.buffers && !info.exports && !info.attachments &&
	    !info.bytes_leaked && !info.bytes_quarantined)
		return true;
	diag("left: %llu bytes shared, %u buffers, %u exports, %u attachments, "
	     "%llu leaked, %llu in quarantine",
	     (unsigned long long)info.bytes_shared, info.buffers, info.exports,
	     info.attachments, (unsigned long long)info.bytes_leaked,
	     (unsigned long long)info.bytes_quarantined);
	return false;
}

bool stays_shared(uint64_t bytes)
{
	struct ccshm_ioc_info info = { 0 };
	int fd = raw_open();
	uint64_t id;

	/* Free two allocations, because two workers serve the queue. */
	for (int i = 0; i < 2; i++) {
		if (raw_alloc(fd, 2 * UNIT, &id) || raw_free(fd, id))
			diag("ALLOC or FREE failed");
		for (int k = 0; k < 1000; k++) {
			if (raw_info(fd, &info) || info.bytes_shared <= bytes)
				break;
			sleep_ms(10);
		}
	}
	close(fd);
	if (info.bytes_shared != bytes)
		diag("%llu bytes are shared, expected %llu",
		     (unsigned long long)info.bytes_shared, (unsigned long long)bytes);
	return info.bytes_shared == bytes;
}

bool wait_rig_shared(uint64_t pages)
{
	for (int i = 0; i < 250 && rig(CVM_PAGES_SHARED) != pages; i++)
		sleep_ms(20);
	if (rig(CVM_PAGES_SHARED) == pages)
		return true;
	diag("%" PRIu64 " pages are shared, %" PRIu64 " before", rig(CVM_PAGES_SHARED), pages);
	return false;
}

long first_other(const void *p, unsigned char value, size_t size)
{
	const unsigned char *s = p;

	if (!size || (s[0] == value && !memcmp(s, s + 1, size - 1)))
		return -1;
	for (size_t i = 0; i < size; i++)
		if (s[i] != value)
			return i;
	return -1;
}

/* ---- kernel log ---- */

unsigned int logged_times(const char *text)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned int times = 0;
	char record[8192];
	ssize_t n;

	while (fd >= 0 && ((n = read(fd, record, sizeof(record) - 1)) >= 0 || errno == EPIPE)) {
		if (n < 0)
			continue;
		record[n] = 0;
		times += strstr(record, text) != NULL;
	}
	if (fd >= 0)
		close(fd);
	return times;
}

bool logged(const char *text)
{
	return logged_times(text) > 0;
}

/* ---- other processes ---- */

void *common(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	return p;
}

static void set_caps(uint64_t caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		data[i].effective = caps >> (32 * i);
		data[i].permitted = data[i].effective;
	}
	if (syscall(SYS_capset, &head, data))
		bail("capset: %s", strerror(errno));
}

void become(uid_t uid, uint64_t caps)
{
	gid_t group = GID_CCSHM;
	int groups = uid == ALICE || uid == BOB;

	if (setgroups(groups, &group) || setresgid(uid, uid, uid))
		bail("groups of user %u: %s", uid, strerror(errno));
	prctl(PR_SET_KEEPCAPS, 1);
	if (setresuid(uid, uid, uid))
		bail("user %u: %s", uid, strerror(errno));
	set_caps(caps);
	/* Without this, root owns /proc/self. */
	prctl(PR_SET_DUMPABLE, 1);
}

void peer_send(struct peer *p, int value, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &value, sizeof(value) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(p->sock, &msg, MSG_NOSIGNAL) < 0)
		diag("sending to process %d: %s", p->pid, strerror(errno));
}

bool peer_receive(struct peer *p, int *value, int *fd, int ms)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { value, sizeof(*value) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct pollfd pfd = { .fd = p->sock, .events = POLLIN };
	struct cmsghdr *c;
	int got = -1;

	if (poll(&pfd, 1, bound(ms)) != 1 ||
	    recvmsg(p->sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(*value))
		return false;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&got, CMSG_DATA(c), sizeof(got));
	if (fd)
		*fd = got;
	else if (got >= 0)
		close(got);
	return true;
}

int peer_hear(struct peer *p)
{
	int value;

	return peer_receive(p, &value, NULL, 60000) ? value : -ETIMEDOUT;
}

int peer_ask(struct peer *p, int value)
{
	peer_send(p, value, -1);
	return peer_hear(p);
}

struct peer peer_start(uid_t uid, uint64_t caps, int (*fn)(struct peer *parent, void *arg),
		       void *arg)
{
	struct peer p;
	int s[2];

	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s))
		bail("socketpair: %s", strerror(errno));
	p.pid = fork();
	if (p.pid < 0)
		bail("fork: %s", strerror(errno));
	if (!p.pid) {
		struct peer parent = { .pid = getppid(), .sock = s[1] };

		close(s[0]);
		if (caps != ALL_CAPS)
			become(uid, caps);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		peer_send(&parent, fn(&parent, arg), -1);
		_exit(0);
	}
	close(s[1]);
	p.sock = s[0];
	return p;
}

int reap(pid_t pid, int ms)
{
	int64_t end = in_ms(bound(ms));
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now_ns() > end)
			return -1;
		sleep_ms(5);
	}
	return status;
}

int peer_end(struct peer *p, int sig)
{
	int status;

	if (sig)
		kill(p->pid, sig);
	status = reap(p->pid, 20000);
	if (status < 0) {
		diag("process %d does not end: killed", p->pid);
		kill(p->pid, SIGKILL);
		status = reap(p->pid, 20000);
	}
	close(p->sock);
	return status;
}

void peer_must_end(struct peer *p, int sig)
{
	int status = peer_end(p, sig);

	if (status && (!sig || status < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != sig))
		fail("process %d ends by signal %d or exits with 0: wait status %d", p->pid, sig,
		     status);
}

/**
 * struct thread_look - what a thread does
 * @state: state as in /proc/PID/stat; 0: no such thread exists
 * @call: number of the system call in which the thread sleeps, or -1
 * @request: second argument of the system call
 * @switches: number of times that the thread has begun to wait
 */
struct thread_look {
	char state;
	long call;
	unsigned long request;
	unsigned long long switches;
};

static struct thread_look thread_look(pid_t tid)
{
	struct thread_look look = { .call = -1 };
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%ld %*x %lx", &look.call, &look.request) != 2)
		look.call = -1;
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &look.state);
		sscanf(line, "voluntary_ctxt_switches: %llu", &look.switches);
	}
	if (f)
		fclose(f);
	return look;
}

bool waits_in_call(pid_t tid, long call, unsigned long request, char state)
{
	struct thread_look last = { 0 }, look;
	int64_t end = in_ms(bound(20000));
	int same = 0;

	while (same < 5 && now_ns() < end) {
		look = thread_look(tid);
		if (!look.state || look.state == 'Z')
			break;
		if (look.state == state && look.call == call &&
		    (!request || look.request == request))
			same = same && look.switches == last.switches ? same + 1 : 1;
		else
			same = 0;
		last = look;
		sleep_ms(10);
	}
	if (same < 5)
		diag("process %d: state %c, call %ld 0x%lx", tid, look.state ? look.state : '-',
		     look.call, look.request);
	return same >= 5;
}

bool waits_in_state(pid_t tid, unsigned long request, char state)
{
	return waits_in_call(tid, SYS_ioctl, request, state);
}

bool waits_in(pid_t tid, unsigned long request)
{
	return waits_in_state(tid, request, 'S');
}

struct as_user_call {
	int (*fn)(void *arg);
	void *arg;
};

static int as_user_run(struct peer *parent, void *arg)
{
	struct as_user_call *call = arg;

	(void)parent;
	return call->fn(call->arg);
}

int as_user(uid_t uid, uint64_t caps, int (*fn)(void *arg), void *arg)
{
	struct as_user_call call = { fn, arg };
	struct peer p = peer_start(uid, caps, as_user_run, &call);
	int value;

	if (!peer_receive(&p, &value, NULL, 60000))
		value = -ECHILD;
	peer_must_end(&p, value == -ECHILD ? SIGKILL : 0);
	return value;
}
