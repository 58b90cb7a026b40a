import { randomFillSync } from 'node:crypto';
import type { StepId } from '../protocol/index.ts';

const POOL_BYTES = 4096;
let pool: Buffer | undefined;
let next = POOL_BYTES;

/** 64 random bits as 16 hexadecimal digits, never all zero. The pool is filled for 512 ids at a time. */
export function newStepId(): StepId {
  if (!pool || next === POOL_BYTES) {
    pool ??= Buffer.allocUnsafeSlow(POOL_BYTES);
    randomFillSync(pool);
    next = 0;
  }
  const id = pool.toString('hex', next, next + 8);
  next += 8;
  return id === '0000000000000000' ? newStepId() : id;
}
