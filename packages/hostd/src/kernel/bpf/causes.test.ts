import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allowedCpus } from '../affinity.ts';
import type { Recorder } from '../recorder.ts';
import { EventKind, Known, type Slice, SliceBegin, SliceEnd, WakeCause } from '../slice.ts';
import { Collector } from './collector.ts';
import { openRecorder } from './index.ts';
import { missingPrivilege } from './privilege.ts';
import { Sleeper } from './sleeper.ts';

const missing = missingPrivilege();

describe.skipIf(missing !== undefined)(`planted causes${missing ? ` (${missing})` : ''}`, () => {
  let recorder: Recorder;
  let child: Sleeper;
  let directory: string;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'prewake-causes-'));
    recorder = openRecorder();
    recorder.attach();
    child = await Sleeper.start();
    recorder.track(child.pid);
  });

  afterEach(async () => {
    recorder.close();
    await child.end();
    rmSync(directory, { recursive: true });
  });

  it('sees reads from the device as block waits with their requests', async () => {
    const data = join(directory, 'data');
    execFileSync('dd', ['if=/dev/urandom', `of=${data}`, 'bs=64k', 'count=16', 'status=none']);
    execFileSync('sync', ['-f', data]);
    await child.run(`system("dd", "if=${data}", "of=/dev/null", "bs=64k", "iflag=direct", "status=none")`);
    const { slices, events } = new Collector().drain(recorder);
    const waits = slices.filter((slice, i) => slice.blockNs > 0 && i > 0);
    expect(waits.length).toBeGreaterThan(0);
    expect(slices.filter((slice) => slice.end === SliceEnd.uninterruptible).length).toBeGreaterThan(0);
    const requests = slices.reduce((sum, slice) => sum + slice.blockRequests, 0);
    expect(requests).toBeGreaterThanOrEqual(16);
    expect(events.filter((event) => event.kind === EventKind.block).length).toBe(requests);
    expect(
      slices.filter((slice) => slice.begin === SliceBegin.woken).every((s) => s.known & Known.block),
    ).toBe(true);
  });

  it('names the interrupt that ended a wait for the device, also where a softirq was between', async () => {
    const data = join(directory, 'data');
    execFileSync('dd', ['if=/dev/urandom', `of=${data}`, 'bs=64k', 'count=16', 'status=none']);
    execFileSync('sync', ['-f', data]);
    // On each CPU, since the interrupt of the request comes to one of them: another is told by a call.
    for (const cpu of allowedCpus(child.pid)) {
      await child.run(
        `system("taskset", "-c", "${cpu}", "dd", "if=${data}", "of=/dev/null", "bs=64k", "iflag=direct", "status=none")`,
      );
    }
    const waits = new Collector().drain(recorder).slices.filter((slice) => slice.blockNs > 0);
    const interrupts = waits.flatMap((slice) => {
      if (slice.cause === WakeCause.hardirq) return [{ irq: slice.causeId, name: slice.causeName }];
      if (slice.originCause !== WakeCause.hardirq) return [];
      return [{ irq: slice.originId, name: slice.originName }];
    });
    const numbered = interrupts.filter(({ irq }) => irq >= 0);
    expect(numbered.length).toBeGreaterThan(10);
    for (const { irq, name } of numbered)
      expect(name).toBe(readFileSync(`/sys/kernel/irq/${irq}/actions`, 'latin1').trim());
    for (const { irq, name } of interrupts)
      if (irq < 0) expect(name).toMatch(/^(call_function|local_timer)$/);
  });

  it('names the work that a kworker did for the thread', async () => {
    const out = join(directory, 'out');
    const write = `for (1 .. 5) { open my $f, ">>", "${out}"; print $f "x" x 65536; close $f; system("sync", "-f", "${out}") }`;
    await child.run(write);
    const { slices, events } = new Collector().drain(recorder);
    const works = (all: readonly Slice[]): Slice[] =>
      all.filter((slice) => slice.cause === WakeCause.kworker && slice.known & Known.work);
    const byKworker = works(slices);
    expect(byKworker.length).toBeGreaterThan(0);
    expect(byKworker.some((slice) => slice.workQueuedNs > 0)).toBe(true);
    // Who queued it.
    const contexts: WakeCause[] = [WakeCause.hardirq, WakeCause.softirq, WakeCause.timer];
    for (const { originCause, originId } of byKworker)
      if (!contexts.includes(originCause))
        expect([originCause, originId > 0]).toEqual([WakeCause.task, true]);
    const hidden = readFileSync('/proc/sys/kernel/kptr_restrict', 'latin1').trim() === '2';
    // Names are looked up in the background.
    const named = async (): Promise<boolean> => {
      await child.run(write);
      return works(new Collector().drain(recorder).slices).some((slice) => /^\w+$/.test(slice.causeName));
    };
    if (!hidden) await expect.poll(named, { timeout: 20_000 }).toBe(true);
    expect(events.filter((event) => event.kind === EventKind.work).length).toBeGreaterThan(0);
  });

  it('counts the folios that a thread brings into the page cache, and finds them there later', async (context) => {
    if (!(recorder.known & Known.cache)) context.skip('this kernel shows no look-ups in the page cache');
    const data = join(directory, 'data');
    writeFileSync(data, Buffer.alloc(1 << 20));
    execFileSync('sync', ['-f', data]);
    execFileSync('dd', [`if=${data}`, 'iflag=nocache', 'count=0', 'status=none']);
    const read = `open my $f, "<", "${data}"; 1 while sysread($f, my $b, 65536); close $f`;
    await child.run(read);
    const cold = new Collector().drain(recorder).slices;
    await child.run(read);
    const warm = new Collector().drain(recorder).slices;
    const sum = (slices: typeof cold, field: 'cacheMisses' | 'cacheHits'): number =>
      slices.reduce((total, slice) => total + slice[field], 0);
    expect(sum(cold, 'cacheMisses')).toBeGreaterThan(0);
    expect(sum(warm, 'cacheMisses')).toBe(0);
    expect(sum(warm, 'cacheHits')).toBeGreaterThanOrEqual(16);
  });

  it('tells throttling by a quota from waiting for a CPU', async (context) => {
    const group = new Quota(`prewake-test-${process.pid}`);
    if (!group.possible) context.skip('there is no cgroup CPU controller to write to');
    try {
      group.limit(child.pid, 10_000, 100_000);
      await child.run('my $x; for (1 .. 3) { $x++ for 1 .. 3e6 } ');
      const { slices } = new Collector().drain(recorder);
      const throttled = slices.reduce((sum, slice) => sum + slice.throttledNs, 0);
      const kernels = group.throttledNs();
      expect(kernels).toBeGreaterThan(0);
      expect(throttled).toBeGreaterThan(0.5 * kernels);
      expect(throttled).toBeLessThanOrEqual(1.01 * kernels);
      for (const slice of slices) expect(slice.throttledNs).toBeLessThanOrEqual(slice.onAt - slice.readyAt);
    } finally {
      group.remove(child.pid);
    }
    await child.sleep(20);
    const free = new Collector().drain(recorder).slices;
    expect(free.slice(1).reduce((sum, slice) => sum + slice.throttledNs, 0)).toBe(0);
  });

  it('knows the wait for a vforked child from a blocked one', async () => {
    // awk's system() is the C library's, which vforks: the parent sleeps uninterruptibly until the child has exec'ed.
    await child.run(`system("awk", 'BEGIN { for (i = 0; i < 10; i++) system("true") }')`);
    const { slices, forks } = new Collector().drain(recorder);
    const awk = forks.find((fork) => fork.parentTgid === child.pid)?.childTgid;
    const vforks = forks.filter((fork) => fork.parentTgid === awk);
    expect(vforks.length).toBe(10);
    for (const fork of vforks) {
      const after = slices.filter((slice) => slice.tid === fork.parentTid && slice.offAt > fork.at);
      expect(
        after.find((slice) => slice.end !== SliceEnd.preempted)?.end,
        JSON.stringify(after.slice(0, 3)),
      ).toBe(SliceEnd.sleep);
    }
  });
});

/** A cgroup with a CPU quota, v2 or v1. */
class Quota {
  readonly #parent: string;
  readonly #path: string;
  readonly #v1: boolean;

  constructor(name: string) {
    const v1 = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct'].find((path) =>
      existsSync(`${path}/tasks`),
    );
    this.#v1 = v1 !== undefined;
    this.#parent = v1 ?? '/sys/fs/cgroup';
    this.#path = join(this.#parent, name);
  }

  get possible(): boolean {
    if (this.#v1) return true;
    const controllers = `${this.#parent}/cgroup.subtree_control`;
    return existsSync(controllers) && readFileSync(controllers, 'latin1').includes('cpu');
  }

  limit(pid: number, quota: number, period: number): void {
    mkdirSync(this.#path);
    if (this.#v1) {
      writeFileSync(`${this.#path}/cpu.cfs_period_us`, `${period}`);
      writeFileSync(`${this.#path}/cpu.cfs_quota_us`, `${quota}`);
    } else writeFileSync(`${this.#path}/cpu.max`, `${quota} ${period}`);
    writeFileSync(`${this.#path}/cgroup.procs`, `${pid}`);
  }

  throttledNs(): number {
    const stat = readFileSync(`${this.#path}/cpu.stat`, 'latin1');
    const v1 = /throttled_time (\d+)/.exec(stat)?.[1];
    return v1 !== undefined ? Number(v1) : Number(/throttled_usec (\d+)/.exec(stat)?.[1]) * 1000;
  }

  remove(pid: number): void {
    writeFileSync(`${this.#parent}/cgroup.procs`, `${pid}`);
    rmdirSync(this.#path);
  }
}
