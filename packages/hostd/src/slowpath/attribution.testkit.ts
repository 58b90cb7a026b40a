import type { ClientFrame, ReportFrame } from '@prewake/sdk/protocol';
import type { Slice } from '../kernel/slice.ts';
import type { WakeupCost } from '../policy/index.ts';
import { Attribution } from './attribution.ts';
import { ALL_KNOWN, makeSlice } from './make-slice.testkit.ts';
import type { AttributionOptions } from './options.ts';

export const TGID = 100;
export const A = 'aaaaaaaaaaaaaaaa';
export const B = 'bbbbbbbbbbbbbbbb';
export const P = 'cccccccccccccccc';
export const us = (n: number) => n * 1000;

/** One process with one session, 1 ns after the recorder. Frames are written in microseconds, slices in microseconds too: `slice` converts. */
export function start(options: Partial<AttributionOptions> = {}, known = ALL_KNOWN) {
  const attribution = new Attribution(options);
  attribution.recorderAttached(1, known);
  attribution.sessionStarted({ id: 's1', tgid: TGID }, 1);
  const frames = (...list: ClientFrame[]) => {
    for (const frame of list) attribution.frame('s1', frame);
  };
  const slice = (fields: Partial<Slice>) => {
    const times = [
      'wakingAt',
      'onAt',
      'offAt',
      'idleExitAt',
      'readyAt',
      'eventAt',
      'blockNs',
      'irqNs',
    ] as const;
    const scaled = Object.fromEntries(
      times.filter((t) => t in fields).map((t) => [t, us(fields[t] as number)]),
    );
    attribution.slice(makeSlice({ ...fields, ...scaled }));
  };
  const find = (now: number) => {
    const reports: Record<string, ReportFrame> = {};
    const costs: WakeupCost[] = [];
    attribution.findings(us(now), {
      report: (_, report) => {
        reports[report.step] = report;
      },
      wakeupCost: (cost) => costs.push(cost),
    });
    return { reports, costs };
  };
  return { attribution, frames, slice, find };
}

export const step = (id: string, at: number, more: Partial<ClientFrame> = {}) =>
  ({ type: 'step', id, kind: 'tool', at, ...more }) as ClientFrame;
export const end = (id: string, at: number): ClientFrame => ({ type: 'step_end', id, at });
export const run = (...marks: (number | string)[]): ClientFrame => ({ type: 'run', thread: TGID, marks });
