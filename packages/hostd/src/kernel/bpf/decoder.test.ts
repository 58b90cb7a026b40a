import { describe, expect, it } from 'vitest';
import type { EventRecord, ExitRecord, ForkRecord, Slice } from '../slice.ts';
import { EventKind, Known, SliceBegin, SliceEnd, WakeCause } from '../slice.ts';
import { Decoder } from './decoder.ts';
import {
  EventOffset,
  ExitOffset,
  ForkOffset,
  RecordType,
  SliceOffset as S,
  SLICE_BYTES,
} from './record-layout.ts';

/** A record as the BPF program writes it, field by field. */
class Fixture {
  readonly buffer = Buffer.alloc(SLICE_BYTES);

  u8(offset: number, value: number): this {
    this.buffer.writeUInt8(value & 0xff, offset);
    return this;
  }
  u16(offset: number, value: number): this {
    this.buffer.writeUInt16LE(value & 0xffff, offset);
    return this;
  }
  u32(offset: number, value: number): this {
    this.buffer.writeUInt32LE(value >>> 0, offset);
    return this;
  }
  u64(offset: number, value: bigint): this {
    this.buffer.writeBigUInt64LE(value, offset);
    return this;
  }
  comm(name: string): this {
    this.buffer.write(name, S.cause_comm, 'latin1');
    return this;
  }

  decode(known = 0xffff): { slice?: Slice; fork?: ForkRecord; exit?: ExitRecord; event?: EventRecord } {
    const words = new Int32Array(SLICE_BYTES / 4 + 2);
    this.buffer.copy(Buffer.from(words.buffer), 8);
    const decoder = new Decoder(
      words,
      (low, high) => `fn_${high.toString(16)}_${low.toString(16)}`,
      (irq) => `irq_${irq}`,
    );
    decoder.known = known;
    const out: ReturnType<Fixture['decode']> = {};
    decoder.decode(2, {
      slice: (slice) => void Object.assign(out, { slice: { ...slice } }),
      fork: (fork) => void Object.assign(out, { fork }),
      exit: (exit) => void Object.assign(out, { exit }),
      event: (event) => void Object.assign(out, { event }),
    });
    return out;
  }
}

describe('Decoder', () => {
  it('decodes every field of a slice', () => {
    const time = 3_240_442_021_394n;
    const fixture = new Fixture()
      .u8(S.type, RecordType.slice)
      .u8(S.begin, SliceBegin.woken)
      .u8(S.end, SliceEnd.uninterruptible)
      .u8(S.cause, WakeCause.task)
      .u16(S.cpu, 300)
      .u8(S.off_inside, 5)
      .u8(S.idle_state, -1)
      .u32(S.tgid, 4_000_000)
      .u32(S.tid, 4_000_001)
      .u32(S.cause_id, 77)
      .u16(S.waker_cpu, -1)
      .comm('sixteen-bytes-16');
    const times = ['on_at', 'off_at', 'waking_at', 'event_at', 'idle_exit_at', 'ready_at'] as const;
    const sums = [
      'block_ns',
      'throttled_ns',
      'io_uring_ns',
      'fault_inclusive_ns',
      'vfs_inclusive_ns',
    ] as const;
    [...times, ...sums].forEach((name, i) => {
      fixture.u64(S[name], time + BigInt(i));
    });
    const words = [
      ...(['timer_late_ns', 'work_queued_ns', 'irq_ns', 'softirq_ns', 'fault_ns', 'vfs_ns'] as const),
      ...(['minor_faults', 'major_faults', 'cache_hits', 'cache_misses', 'khz', 'target_khz'] as const),
    ];
    words.forEach((name, i) => {
      fixture.u32(S[name], 0xffff_fff0 + i);
    });
    (['irqs', 'softirqs', 'vfs_calls', 'dentry_misses', 'block_requests'] as const).forEach((name, i) => {
      fixture.u16(S[name], 0xfff0 + i);
    });
    const at = Number(time);
    expect(fixture.decode().slice).toEqual({
      ...{ tgid: 4_000_000, tid: 4_000_001, cpu: 300, known: 0xffff, begin: SliceBegin.woken },
      ...{ originCause: WakeCause.none, originId: -1, originName: '' },
      ...{ cause: WakeCause.task, causeId: 77, causeName: 'sixteen-bytes-16', wakerCpu: -1, idleState: -1 },
      ...{ end: SliceEnd.uninterruptible, offInside: 5 },
      ...{ onAt: at, offAt: at + 1, wakingAt: at + 2, eventAt: at + 3, idleExitAt: at + 4, readyAt: at + 5 },
      ...{ blockNs: at + 6, throttledNs: at + 7, ioUringNs: at + 8 },
      ...{ faultInclusiveNs: at + 9, vfsInclusiveNs: at + 10 },
      ...{ timerLateNs: 0xffff_fff0, workQueuedNs: 0xffff_fff1, irqNs: 0xffff_fff2, softirqNs: 0xffff_fff3 },
      ...{ faultNs: 0xffff_fff4, vfsNs: 0xffff_fff5, minorFaults: 0xffff_fff6, majorFaults: 0xffff_fff7 },
      ...{ cacheHits: 0xffff_fff8, cacheMisses: 0xffff_fff9, khz: 0xffff_fffa, targetKhz: 0xffff_fffb },
      ...{ irqs: 0xfff0, softirqs: 0xfff1, vfsCalls: 0xfff2, dentryMisses: 0xfff3, blockRequests: 0xfff4 },
    });
  });

  it('takes off what the record could not fill in', () => {
    const fixture = new Fixture().u8(S.type, RecordType.slice).u16(S.unknown, Known.idle | Known.timer);
    expect(fixture.decode(Known.wakeup | Known.idle | Known.timer).slice?.known).toBe(Known.wakeup);
  });

  it('resolves the work function of a kworker and the names of an interrupt', () => {
    const fixture = new Fixture().u8(S.type, RecordType.slice).u64(S.cause_comm, 0xffff_ffff_8123_4560n);
    expect(fixture.u8(S.cause, WakeCause.kworker).decode().slice?.causeName).toBe('fn_ffffffff_81234560');
    fixture.u32(S.cause_id, 27);
    expect(fixture.u8(S.cause, WakeCause.hardirq).decode().slice?.causeName).toBe('irq_27');
    expect(fixture.u32(S.cause_id, -2).decode().slice?.causeName).toBe('local_timer');
    expect(fixture.u8(S.cause, WakeCause.softirq).decode().slice?.causeName).toBe('');
  });

  it('tells what was before a softirq or a work item, and nothing of other causes', () => {
    const fixture = new Fixture().u8(S.type, RecordType.slice).u32(S.origin_id, 27);
    fixture.u8(S.origin, WakeCause.hardirq);
    for (const cause of [WakeCause.softirq, WakeCause.kworker])
      expect(fixture.u8(S.cause, cause).decode().slice).toMatchObject({
        ...{ originCause: WakeCause.hardirq, originId: 27, originName: 'irq_27' },
      });
    fixture.u8(S.origin, WakeCause.task);
    expect(fixture.decode().slice).toMatchObject({
      originCause: WakeCause.task,
      originId: 27,
      originName: '',
    });
    for (const cause of [WakeCause.task, WakeCause.hardirq, WakeCause.timer])
      expect(fixture.u8(S.cause, cause).decode().slice).toMatchObject({
        ...{ originCause: WakeCause.none, originId: -1, originName: '' },
      });
  });

  it('decodes forks, exits and events', () => {
    const fork = new Fixture().u8(ForkOffset.type, RecordType.fork).u64(ForkOffset.at, 5n);
    fork.u32(ForkOffset.parent_tgid, 1).u32(ForkOffset.parent_tid, 2).u32(ForkOffset.child_tgid, 3);
    expect(fork.u32(ForkOffset.child_tid, 4).decode()).toEqual({
      fork: { at: 5, parentTgid: 1, parentTid: 2, childTgid: 3, childTid: 4 },
    });
    const exit = new Fixture()
      .u8(ExitOffset.type, RecordType.exit)
      .u32(ExitOffset.tgid, 1)
      .u32(ExitOffset.tid, 2);
    expect(exit.u64(ExitOffset.at, 1n << 40n).decode()).toEqual({ exit: { at: 2 ** 40, tgid: 1, tid: 2 } });
    const event = new Fixture()
      .u8(EventOffset.type, RecordType.event)
      .u8(EventOffset.kind, EventKind.ioUring);
    event.u16(EventOffset.cpu, 3).u32(EventOffset.tgid, 1).u32(EventOffset.tid, 2).u64(EventOffset.at, 9n);
    expect(
      event
        .u64(EventOffset.duration, 8n)
        .u64(EventOffset.id, (42n << 32n) | 7n)
        .decode(),
    ).toEqual({
      event: { kind: EventKind.ioUring, cpu: 3, tgid: 1, tid: 2, at: 9, durationNs: 8, stepId: 42 },
    });
  });

  it('skips records of types that it does not know', () => {
    expect(new Fixture().u8(S.type, 99).decode()).toEqual({});
  });
});
