import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { allowedCpus, setAllowedCpus } from '../affinity.ts';
import { withDescriptors } from '../limits.testkit.ts';
import type { Recorder } from '../recorder.ts';
import { type ForkRecord, Known, SliceBegin, SliceEnd, WakeCause } from '../slice.ts';
import { KernelWriter } from '../writer.ts';
import { Collector } from './collector.ts';
import { openRecorder } from './index.ts';
import { missingPrivilege } from './privilege.ts';
import { Sleeper } from './sleeper.ts';

const missing = missingPrivilege();

describe.skipIf(missing !== undefined)(`the BPF recorder${missing ? ` (${missing})` : ''}`, () => {
  let recorder: Recorder;
  let sleeper: Sleeper | undefined;

  afterEach(async () => {
    recorder.close();
    await sleeper?.end();
    sleeper = undefined;
  });

  async function following(options?: Parameters<typeof openRecorder>[0]): Promise<Sleeper> {
    recorder = openRecorder(options);
    expect(recorder.reason).toBeUndefined();
    recorder.attach();
    sleeper = await Sleeper.start();
    recorder.track(sleeper.pid);
    return sleeper;
  }

  it.each([
    ['as this kernel tells of switches', {}],
    ['as kernels before 5.18 do', { withhold: new Set(['pw_switch']) }],
  ])('writes a slice for each stay on a CPU, as many as the kernel counts, %s', async (_, options) => {
    const child = await following(options);
    const before = child.switches();
    await child.sleep(200);
    const after = child.switches();
    const { slices, lost } = new Collector().drain(recorder);
    expect(lost).toBe(0);
    const sleeps = slices.filter((s) => s.end === SliceEnd.sleep || s.end === SliceEnd.uninterruptible);
    const preemptions = slices.filter((s) => s.end === SliceEnd.preempted);
    expect(sleeps.length).toBe(after.voluntary - before.voluntary);
    expect(preemptions.length).toBe(after.nonvoluntary - before.nonvoluntary);
    expect(sleeps.length).toBeGreaterThan(150);
  });

  it('tells when and by what the thread was woken, in order', async () => {
    const child = await following();
    await child.sleep(100);
    const { slices } = new Collector().drain(recorder);
    const woken = slices.filter((s) => s.begin === SliceBegin.woken);
    // A few sleeps are over before they begin, and some kernels don't trace every switch.
    expect(woken.length).toBeGreaterThan(75);
    for (const s of woken) {
      expect(s.wakingAt).toBeGreaterThan(0);
      expect(s.readyAt).toBeGreaterThanOrEqual(s.wakingAt);
      expect(s.onAt).toBeGreaterThan(s.readyAt);
      expect(s.offAt).toBeGreaterThan(s.onAt);
      expect(s.wakerCpu).toBeGreaterThanOrEqual(0);
    }
    const timers = woken.filter((s) => s.cause === WakeCause.timer);
    expect(timers.length).toBeGreaterThan(75);
    for (const s of timers) expect(s.wakingAt).toBeGreaterThanOrEqual(s.eventAt);
    const byTask = woken.filter((s) => s.cause === WakeCause.task);
    expect(byTask.map((s) => s.causeId)).not.toContain(-1);
    expect(byTask.map((s) => s.causeName)).not.toContain('');
  });

  it('never lets slices of a thread overlap', async () => {
    const child = await following();
    await child.run('for (1 .. 40) { fork or exit; wait } select(undef, undef, undef, 0.001) for 1 .. 50');
    const { slices } = new Collector().drain(recorder);
    const last = new Map<number, number>();
    for (const s of slices) {
      expect(s.onAt).toBeGreaterThanOrEqual(last.get(s.tid) ?? 0);
      last.set(s.tid, s.offAt);
      // What is exclusive can't be more than there was.
      expect(s.irqNs + s.softirqNs + s.faultNs + s.vfsNs).toBeLessThanOrEqual(s.offAt - s.onAt);
    }
  });

  it('follows children, also such as exit before anyone looks', async () => {
    const child = await following();
    await child.run(
      'for (1 .. 20) { my $pid = fork; if (!$pid) { if (fork) { wait } exit } waitpid($pid, 0) }',
    );
    const { forks, exits, slices } = new Collector().drain(recorder);
    expect(forks.filter((f) => f.parentTgid === child.pid).length).toBe(20);
    expect(forks.length).toBe(40);
    let seen = 0;
    for (const fork of forks) {
      const first = slices.find((s) => s.tid === fork.childTid);
      if (first?.begin === SliceBegin.new) {
        seen++;
        expect(first.onAt).toBeGreaterThan(fork.at);
        continue;
      }
      // Some kernels leave out the switch away from a thread of the system's, and so the one to whom it goes: then
      // the slice says that its beginning is not known.
      expect(first?.begin).toBe(SliceBegin.unknown);
      expect((first?.known ?? Known.wakeup) & Known.wakeup).toBe(0);
      expect(first?.onAt).toBeGreaterThanOrEqual(fork.at);
    }
    expect(seen).toBeGreaterThan(forks.length / 2);
    expect(exits.length).toBeGreaterThanOrEqual(20);
  });

  it('records nothing of others, and nothing after untrack or detach', async () => {
    const child = await following();
    await child.sleep(5);
    const first = new Collector().drain(recorder);
    expect(new Set(first.slices.map((s) => s.tgid))).toEqual(new Set([child.pid]));
    recorder.untrack(child.pid);
    await child.sleep(5);
    expect(new Collector().drain(recorder).slices).toEqual([]);
    recorder.track(child.pid);
    recorder.detach();
    expect(recorder.attachedAt).toBe(0);
    await child.sleep(5);
    expect(new Collector().drain(recorder).slices).toEqual([]);
    recorder.attach();
    await child.sleep(5);
    expect(new Collector().drain(recorder).slices.length).toBeGreaterThan(0);
  });

  describe('where a child is tracked itself', () => {
    /** The parent's child and grandchild, which sleep and wake for ever, born before the child is tracked. */
    async function family(): Promise<{ parent: number; child: number; grandchild: number }> {
      const { pid: parent } = await following();
      await sleeper?.run(
        'my $nap = sub { select(undef, undef, undef, 0.002) while 1 }; if (!fork) { fork; $nap->() }',
      );
      await expect.poll(() => family.drain().forks.length).toBe(2);
      const [first, second] = family.records.forks as [ForkRecord, ForkRecord];
      recorder.track(first.childTgid);
      return { parent, child: first.childTgid, grandchild: second.childTgid };
    }
    family.records = new Collector();
    family.drain = () => family.records.drain(recorder);

    /** Who has slices from now on, once those have; all of the family sleep and wake meanwhile. */
    async function recorded(...those: number[]): Promise<Set<number>> {
      new Collector().drain(recorder);
      const seen = new Set<number>();
      const all = async () => {
        await sleeper?.sleep(5);
        for (const { tgid } of new Collector().drain(recorder).slices) seen.add(tgid);
        return those.every((pid) => seen.has(pid));
      };
      await expect.poll(all).toBe(true);
      return seen;
    }

    afterEach(() => {
      for (const { childTgid } of family.records.forks) process.kill(childTgid, 'SIGKILL');
      family.records = new Collector();
    });

    it('goes on with it and its children when the parent is not tracked any more', async () => {
      const { parent, child, grandchild } = await family();
      expect(await recorded(parent, child, grandchild)).toEqual(new Set([parent, child, grandchild]));
      recorder.untrack(parent);
      expect(await recorded(child, grandchild)).toEqual(new Set([child, grandchild]));
      recorder.untrack(child);
      expect(await recorded()).toEqual(new Set());
    });

    it('goes on with it as the child of its parent when it is not tracked any more itself', async () => {
      const { parent, child, grandchild } = await family();
      recorder.untrack(child);
      expect(await recorded(parent, child, grandchild)).toEqual(new Set([parent, child, grandchild]));
      recorder.untrack(parent);
      expect(await recorded()).toEqual(new Set());
    });
  });

  it('is attached wholly or not at all, and closed in order, where descriptors run out', async () => {
    const child = await following();
    const open = () => {
      const fds = readdirSync('/proc/self/fd').filter((fd) => existsSync(`/proc/self/fd/${fd}`));
      return new Set(fds.map(Number));
    };
    recorder.detach();
    const before = open();
    recorder.attach();
    // Enough for its links; looking for threads takes one more for a moment.
    const enough = Math.max(...[...open()].filter((fd) => !before.has(fd))) + 1;
    recorder.detach();
    expect(() => withDescriptors(enough, () => recorder.attach())).toThrow(/refused to iterate/);
    expect(recorder.attached).toBe(false);
    recorder.attach();
    await child.sleep(5);
    expect(new Collector().drain(recorder).slices.length).toBeGreaterThan(0);
    withDescriptors(3, () => recorder.close());
    expect(recorder.attached).toBe(false);
  });

  it('holds programs and maps only while it is open, and links only while it is attached', () => {
    const before = kernelObjects();
    recorder = openRecorder();
    const opened = kernelObjects();
    expect(opened.maps).toBeGreaterThan(before.maps);
    expect(opened.links).toBe(before.links);
    recorder.attach();
    expect(kernelObjects().links).toBeGreaterThan(20);
    recorder.detach();
    expect(kernelObjects().links).toBe(before.links);
    recorder.close();
    expect(kernelObjects()).toEqual(before);
  });

  it('counts what a full ring drops', async () => {
    const child = await following({ ringBytes: 4096 });
    const before = child.switches();
    await child.sleep(100);
    const after = child.switches();
    const { slices, lost } = new Collector().drain(recorder);
    expect(lost).toBeGreaterThan(0);
    expect(slices.length + lost).toBe(
      after.voluntary + after.nonvoluntary - before.voluntary - before.nonvoluntary,
    );
    expect(new Collector().drain(recorder).lost).toBe(0);
  });

  it('says when the ring is half full, and only then', async () => {
    recorder = openRecorder({ ringBytes: 64 * 1024 });
    let calls = 0;
    const called = new Promise<void>((resolve) => {
      recorder.onPressure = () => {
        calls++;
        resolve();
      };
    });
    recorder.attach();
    sleeper = await Sleeper.start();
    recorder.track(sleeper.pid);
    await sleeper.sleep(5);
    expect(calls).toBe(0);
    await sleeper.sleep(250);
    await called;
    expect(calls).toBe(1);
    expect(new Collector().drain(recorder).lost).toBe(0);
  });

  it('does without a program that can not be attached, and with all others', async () => {
    const child = await following({ withhold: new Set(['pw_cpu_idle', 'pw_softirq_exit']) });
    const idle = recorder.categories.find((c) => c.category === 'wakeup.idle_exit');
    expect(idle).toMatchObject({ tier: 'unavailable', reason: expect.stringContaining('cpu_idle') });
    await child.sleep(20);
    const { slices } = new Collector().drain(recorder);
    expect(slices.filter((s) => s.cause === WakeCause.timer).length).toBeGreaterThan(10);
  });

  it('knows where a thread last ran', async () => {
    const child = await following();
    await child.sleep(5);
    const { home, completion } = recorder.lastCpu(child.pid);
    const { slices } = new Collector().drain(recorder);
    expect(home).toBe(slices.at(-1)?.cpu);
    expect(completion).toBe(slices.findLast((s) => s.begin === SliceBegin.woken)?.wakerCpu);
  });

  it('knows it as of now, without reading the ring, and only of whom it follows', async () => {
    const child = await following();
    const writer = new KernelWriter();
    for (const cpu of allowedCpus(child.pid)) {
      setAllowedCpus(writer, child.pid, [cpu]);
      await child.sleep(1);
      expect(recorder.lastCpu(child.pid).home).toBe(cpu);
    }
    expect(recorder.lastCpu(process.pid)).toEqual({ home: -1, completion: -1 });
    recorder.detach();
    expect(recorder.lastCpu(child.pid).home).toBe(-1);
    recorder.attach();
    expect(recorder.lastCpu(child.pid).home).toBe(-1);
  });
});

/** BPF objects that this process holds open; an iterator's link is none that makes a program run. */
function kernelObjects(): { programs: number; maps: number; links: number } {
  const infos = readdirSync('/proc/self/fdinfo').map((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    } catch {
      return ''; // That of the listing itself.
    }
  });
  const count = (pattern: RegExp): number => infos.filter((info) => pattern.test(info)).length;
  return {
    programs: count(/^prog_type:/m),
    maps: count(/^map_type:/m),
    links: count(/^link_type:\t(?!iter)/m),
  };
}
