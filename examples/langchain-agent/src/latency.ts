import { readFileSync } from 'node:fs';

/** One measured request: see data/README.md for where it comes from. */
export interface Latency {
  provider: string;
  model: string;
  /** Request → first token, milliseconds. */
  ttftMs: number;
  /** Mean gap between tokens, milliseconds. */
  interTokenMs: number;
}

const dataFile = new URL('../data/llm-latency.csv', import.meta.url);

/** Reads the measured latencies: `provider,model,ttft_ms,inter_token_ms,…`. */
export function readLatencies(file: URL | string = dataFile): Latency[] {
  const [, ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [provider = '', model = '', ttft, gap] = line.split(',');
    return { provider, model, ttftMs: Number(ttft), interTokenMs: Number(gap) };
  });
}

/** The name under which a service's model is served: `together/llama-2-70b-chat`. */
export function modelName({ provider, model }: Latency): string {
  return `${provider}/llama-2-${model}-chat`;
}

/** Picks one of `rows`, evenly, from `seed` and the request's place in its conversation: a retry is as slow as the first try. */
export function pickLatency<Row>(rows: readonly Row[], seed: number, turn: number): Row {
  const row = rows[mix(mix(seed) ^ turn) % rows.length];
  if (row === undefined) throw new RangeError('no latencies to pick from');
  return row;
}

/** The finalizer of MurmurHash3: spreads neighbouring integers over 32 bits. */
function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16) ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
