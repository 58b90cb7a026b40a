/*
 * The recorder's accounts, compiled for this machine, with something that comes in between at every single instruction:
 * a child runs a scenario, is stepped through k instructions of it, and gets a signal, which is the interrupt or the
 * switch. For each k from none to all. The clock is a number, so that each round is the same.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>

static u64 time_ns = 1000000;
#define bpf_ktime_get_ns() __sync_add_and_fetch(&time_ns, 1) /* in one instruction, as a clock's is */
#define bpf_get_smp_processor_id() 0
#define bpf_get_current_pid_tgid() 0
#include "state.h"

static struct task_state task;
#define current_state() (&task)
#include "container.h"
#include "interrupts.h"

/* No headers of the system's: the kernel's types are declared above. */
typedef int pid_t;
pid_t fork(void);
pid_t waitpid(pid_t pid, int *status, int options);
long ptrace(int request, pid_t pid, void *address, void *data);
int raise(int number);
void (*signal(int number, void (*handler)(int)))(int);
int printf(const char *format, ...);
void _exit(int status) __attribute__((noreturn));
enum { SIG_USER = 10, SIG_STOP = 19 };
enum { TRACE_ME = 0, PEEK = 2, CONTINUE = 7, STEP = 9 };

/* Ten thousand for what is timed, a million and more for what comes in between. */
enum { WORK = 10000, HARD = 1000000, WITHIN = 3000000, OFF = 5000000, NEAR = 100 };

static void work(u64 ns)
{
	__sync_fetch_and_add(&time_ns, ns);
}

static void softirq_entry(void)
{
	unsigned long long vector[] = { 3 };

	pw_softirq_entry(vector);
}

static void softirq_exit(void)
{
	unsigned long long none[] = { 0 };

	pw_softirq_exit(none);
}

/* What slices have told: summed up, as a reader would. */
static struct {
	u64 irq, softirq, fault, vfs, fault_inclusive, vfs_inclusive;
	u32 irqs, softirqs, calls;
} told;
static int failed;

static void end_slice(void)
{
	u64 now = bpf_ktime_get_ns();
	struct share share = settle(&task, now);

	if (share.irq_ns + share.softirq_ns + share.fault_ns + share.vfs_ns > now - task.on_at)
		failed |= 1;
	told.irq += share.irq_ns;
	told.softirq += share.softirq_ns;
	told.fault += share.fault_ns;
	told.vfs += share.vfs_ns;
	told.fault_inclusive += task.fault_inclusive_ns;
	told.vfs_inclusive += task.vfs_inclusive_ns;
	told.calls += task.vfs_calls;
	told.irqs += task.irqs;
	told.softirqs += task.softirqs;
	task.fault_inclusive_ns = task.vfs_inclusive_ns = task.irqs = task.softirqs = task.vfs_calls = 0;
	task.off_at = now;
	task.running = 0;
}

static void begin_slice(void)
{
	u64 now = bpf_ktime_get_ns();

	resume(&task, task.off_at, now);
	task.on_at = now;
}

/* -- what comes in between -- */

static void hard(void)
{
	irq_begins(27);
	work(HARD);
	irq_ends();
}

static void soft(void)
{
	softirq_entry();
	work(HARD);
	irq_begins(27);
	work(WITHIN);
	irq_ends();
	softirq_exit();
}

static void preempt(void)
{
	end_slice();
	work(OFF);
	begin_slice();
}

static void nothing(void)
{
}

/* -- what it comes between -- */

static void fault(void)
{
	container_entered(CTX_FAULT, PW_EV_FAULT);
	work(WORK);
	container_left(CTX_FAULT, PW_EV_FAULT);
}

static void fault_in_call(void)
{
	container_entered(CTX_VFS, PW_EV_OPEN);
	work(WORK);
	container_entered(CTX_FAULT, PW_EV_FAULT);
	work(2 * WORK);
	container_left(CTX_FAULT, PW_EV_FAULT);
	container_left(CTX_VFS, PW_EV_OPEN);
}

static void softirq(void)
{
	softirq_entry();
	work(WORK);
	softirq_exit();
}

/* A program whose run the kernel leaves out tells of no exit; its next call's entry does. */
static void lost_exit(void)
{
	container_entered(CTX_VFS, PW_EV_STAT);
	container_entered(CTX_VFS, PW_EV_LOOKUP);
	container_left(CTX_VFS, PW_EV_LOOKUP);
	container_entered(CTX_VFS, PW_EV_STAT);
	work(WORK);
	container_left(CTX_VFS, PW_EV_STAT);
}

static const struct scenario {
	const char *name;
	void (*run)(void);
	void (*between)(void);
	/* What is true of it: exclusive, and how often. */
	u64 irq, softirq, fault, vfs, off;
	u32 calls;
} scenarios[] = {
	{ "a hard interrupt at a fault", fault, hard, HARD, 0, WORK, 0, 0, 0 },
	{ "a soft interrupt, with a hard one, at a fault", fault, soft, WITHIN, HARD, WORK, 0, 0, 0 },
	{ "a switch at a fault", fault, preempt, 0, 0, WORK, 0, OFF, 0 },
	{ "a hard interrupt at a fault in a call", fault_in_call, hard, HARD, 0, 2 * WORK, WORK, 0, 1 },
	{ "a soft interrupt, with a hard one, at a fault in a call", fault_in_call, soft, WITHIN, HARD, 2 * WORK, WORK, 0, 1 },
	{ "a switch at a fault in a call", fault_in_call, preempt, 0, 0, 2 * WORK, WORK, OFF, 1 },
	{ "nothing at calls of which one has lost its exit", lost_exit, nothing, 0, 0, 0, WORK, 0, 2 },
	{ "a hard interrupt at a soft one", softirq, hard, HARD, WORK, 0, 0, 0, 0 },
};

static volatile long started, done;
static const struct scenario *current;

static void between(int number)
{
	current->between();
}

static bool near(u64 mine, u64 its)
{
	return mine + NEAR > its && mine < its + NEAR;
}

/* In the child: once with the interruption, once more without, in which everything has to be as ever. */
static void play(const struct scenario *scenario)
{
	bool soft_ones = scenario->softirq, hard_ones = scenario->irq;

	current = scenario;
	signal(SIG_USER, between);
	begin_slice();
	work(WORK);
	ptrace(TRACE_ME, 0, 0, 0);
	raise(SIG_STOP);
	started = 1;
	scenario->run();
	done = 1;
	work(WORK);
	end_slice();
	/* Between the begin and the end of what is outermost, or beside it: then nothing lies within. */
	u64 most = scenario->fault + scenario->vfs + scenario->irq + scenario->softirq + scenario->off;

	failed |= near(told.irq, scenario->irq) && near(told.softirq, scenario->softirq) ? 0 : 2;
	failed |= near(told.fault, scenario->fault) && near(told.vfs, scenario->vfs) ? 0 : 4;
	failed |= told.irqs == hard_ones && told.softirqs == soft_ones && told.calls == scenario->calls ? 0 : 8;
	failed |= told.fault_inclusive + NEAR > scenario->fault && told.fault_inclusive < most + NEAR ? 0 : 16;
	failed |= told.vfs_inclusive + NEAR > scenario->vfs && told.vfs_inclusive < (scenario->vfs ? most : 0) + NEAR ? 0 : 16;

	u64 fault = told.fault, vfs = told.vfs, irq = told.irq;

	begin_slice();
	scenario->run();
	work(HARD);
	end_slice();
	failed |= near(told.fault - fault, scenario->fault) && near(told.vfs - vfs, scenario->vfs) ? 0 : 32;
	failed |= told.irq == irq ? 0 : 64;
	_exit(failed);
}

/* Returns how many instructions the scenario has, or of this many -1: it was wrong. */
static long round(const struct scenario *scenario, long instructions)
{
	int status, wrong;
	pid_t child = fork();
	long at = 0;

	if (!child)
		play(scenario);
	waitpid(child, &status, 0);
	while (!ptrace(PEEK, child, (void *)&started, 0)) {
		ptrace(STEP, child, 0, 0);
		waitpid(child, &status, 0);
	}
	for (; instructions < 0 ? !ptrace(PEEK, child, (void *)&done, 0) : at < instructions; at++) {
		ptrace(STEP, child, 0, 0);
		waitpid(child, &status, 0);
	}
	ptrace(CONTINUE, child, 0, (void *)(long)(instructions < 0 ? 0 : SIG_USER));
	waitpid(child, &status, 0);
	wrong = status & 0x7f ? status & 0x7f : status >> 8;
	if (instructions < 0)
		return at;
	if (wrong)
		printf("%s, after %ld instructions: wrong %#x\n", scenario->name, at, wrong);
	return wrong ? -1 : at;
}

int main(void)
{
	int bad = 0;

	for (unsigned int i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		long length = round(&scenarios[i], -1), wrong = 0;

		if (scenarios[i].between == nothing) /* where it comes is all the same */
			length = 0;
		for (long at = 0; at <= length; at++)
			wrong += round(&scenarios[i], at) < 0;
		printf("%s: %ld points, %ld wrong\n", scenarios[i].name, length + 1, wrong);
		bad |= wrong != 0;
	}
	return bad;
}
