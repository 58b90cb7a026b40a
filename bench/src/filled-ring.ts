import {
  RecordType,
  SLICE_BYTES,
  SliceBegin,
  SliceEnd,
  SliceOffset,
  WakeCause,
} from '@prewake/hostd/internal';
import { seeded } from './statistics.ts';

/** Bytes of a record with its header in the ring. */
export const STRIDE_BYTES = SLICE_BYTES + 8;

/** A ring's data filled with slices as a busy agent has them: most are woken, by interrupts, timers and tasks. */
export function filledRing(records: number): Int32Array {
  const words = new Int32Array((records * STRIDE_BYTES) / 4);
  const view = new DataView(words.buffer);
  const random = seeded(11);
  let now = 5e12;
  for (let i = 0; i < records; i++) {
    const at = i * STRIDE_BYTES + 8;
    const u8 = (offset: number, value: number) => view.setUint8(at + offset, value);
    const u32 = (offset: number, value: number) => view.setUint32(at + offset, value, true);
    const u64 = (offset: number, value: number) => view.setBigUint64(at + offset, BigInt(value), true);
    const cause = [WakeCause.hardirq, WakeCause.timer, WakeCause.task][i % 3] as number;
    now += Math.floor(20_000 * random());
    u8(SliceOffset.type, RecordType.slice);
    u8(SliceOffset.begin, SliceBegin.woken);
    u8(SliceOffset.end, SliceEnd.sleep);
    u8(SliceOffset.cause, cause);
    u8(SliceOffset.cpu, i % 2);
    u32(SliceOffset.tgid, 1000);
    u32(SliceOffset.tid, 1000 + (i % 7));
    u32(SliceOffset.cause_id, cause === WakeCause.task ? 2000 + (i % 5) : 27);
    if (cause === WakeCause.task)
      for (const [n, char] of [...`worker-${i % 5}`].entries())
        u8(SliceOffset.cause_comm + n, char.charCodeAt(0));
    u64(SliceOffset.waking_at, now);
    u64(SliceOffset.idle_exit_at, now + 3000);
    u64(SliceOffset.on_at, now + 5000);
    u64(SliceOffset.off_at, now + 5000 + Math.floor(50_000 * random()));
    u32(SliceOffset.irq_ns, Math.floor(3000 * random()));
    u32(SliceOffset.minor_faults, i % 4);
  }
  return words;
}
