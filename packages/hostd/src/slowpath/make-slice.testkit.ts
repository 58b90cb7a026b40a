import { BLANK_SLICE } from '../kernel/blank-slice.ts';
import { Known, type Slice, SliceBegin, SliceEnd, WakeCause } from '../kernel/slice.ts';

/** All that a kernel can know. */
export const ALL_KNOWN = Object.values(Known).reduce((bits, bit) => bits | bit, 0);

/** A slice with everything known and nothing paid, for tests: a thread woken at 1000 ns, on the CPU from then to 2000. */
export function makeSlice(fields: Partial<Slice> = {}): Slice {
  const wakingAt = fields.wakingAt ?? fields.onAt ?? 1000;
  const onAt = fields.onAt ?? wakingAt;
  return {
    ...BLANK_SLICE,
    tgid: 100,
    tid: 100,
    known: ALL_KNOWN,
    begin: SliceBegin.woken,
    cause: WakeCause.task,
    wakerCpu: 1,
    wakingAt,
    readyAt: wakingAt,
    onAt,
    offAt: onAt + 1000,
    end: SliceEnd.sleep,
    ...fields,
  };
}
