import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PAGE_BYTES } from './mapping.ts';
import { Ring } from './ring.ts';

const BYTES = PAGE_BYTES;
const BUSY = 0x8000_0000;
const DISCARDED = 0x4000_0000;

/** A file that looks like a ring's pages: consumer position, producer position, data, data once more. */
describe('Ring', () => {
  let directory: string;
  let fd: number;
  let ring: Ring;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'prewake-ring-'));
    fd = openSync(join(directory, 'ring'), 'w+');
    ftruncateSync(fd, 2 * PAGE_BYTES + 2 * BYTES);
    ring = new Ring(fd, BYTES);
  });

  afterEach(() => {
    ring.close();
    closeSync(fd);
    rmSync(directory, { recursive: true });
  });

  function write(offset: number, ...words: number[]): void {
    const buffer = Buffer.alloc(words.length * 4);
    words.forEach((word, i) => {
      buffer.writeUInt32LE(word >>> 0, i * 4);
    });
    writeSync(fd, buffer, 0, buffer.length, 2 * PAGE_BYTES + (offset % BYTES));
    // The kernel maps the same page twice.
    writeSync(fd, buffer, 0, buffer.length, 2 * PAGE_BYTES + BYTES + (offset % BYTES));
  }

  function produce(position: number): void {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(BigInt(position));
    writeSync(fd, buffer, 0, 8, PAGE_BYTES);
  }

  function consumed(): number {
    return Number(new BigInt64Array(ring.consumerPage)[0]);
  }

  function read(): number[] {
    const values: number[] = [];
    ring.read((at) => values.push(ring.words[at] as number));
    return values;
  }

  it('reads the records that are finished, and gives their room back', () => {
    write(0, 8, 0, 11, 0, 8, 0, 12, 0);
    produce(32);
    expect(ring.unread).toBe(32);
    expect(read()).toEqual([11, 12]);
    expect(consumed()).toBe(32);
    expect(ring.unread).toBe(0);
    expect(read()).toEqual([]);
  });

  it('stops at a record that is being written, and goes on when it is done', () => {
    write(0, 8, 0, 11, 0, BUSY | 8, 0, 12, 0, 8, 0, 13, 0);
    produce(48);
    expect(read()).toEqual([11]);
    expect(consumed()).toBe(16);
    write(16, 8, 0);
    expect(read()).toEqual([12, 13]);
  });

  it('skips what was discarded, and rounds lengths up to eight', () => {
    write(0, DISCARDED | 8, 0, 11, 0, 5, 0, 12, 0, 8, 0, 13, 0);
    produce(48);
    expect(read()).toEqual([12, 13]);
  });

  it('reads on over the end of the data', () => {
    for (let position = 0; position < 10 * BYTES; position += 48) {
      // Some records straddle the end: the second mapping has their rest.
      const words = [40, 0, position, 0, 0, 0, 0, 0, 0, 0, 0, 0];
      words.forEach((word, i) => {
        write(position + i * 4, word);
      });
      produce(position + 48);
      expect(read()).toEqual([position]);
    }
  });
});
