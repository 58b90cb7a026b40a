import type { SignalDetail } from '../options.ts';

type RawHeaders = readonly (Buffer | string | readonly (Buffer | string)[])[];
export type Headers = RawHeaders | Record<string, unknown>;

const STREAMED = /event-stream|ndjson|jsonl|json-seq/i;

/** What a response's headers say of its end. */
export interface ResponseFacts {
  /** Many chunks are to come, each a wakeup. */
  streamed: boolean;
  detail: SignalDetail | undefined;
}

export function responseFacts(headers: Headers): ResponseFacts {
  const afterMs = retryAfterMs(header(headers, 'retry-after'), Date.now());
  return {
    streamed: STREAMED.test(header(headers, 'content-type') ?? ''),
    detail: afterMs === undefined ? undefined : { afterMs },
  };
}

function header(headers: Headers, name: string): string | undefined {
  if (!Array.isArray(headers)) {
    const value = (headers as Record<string, unknown>)[name];
    return value === undefined ? undefined : String(value);
  }
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (String(headers[i]).toLowerCase() === name) return String(headers[i + 1]);
  }
  return undefined;
}

/** Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3), as milliseconds from now. */
function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d{1,8}\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
