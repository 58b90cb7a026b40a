import { describe, expect, it } from 'vitest';
import { MAX_LINE_BYTES } from './frames.ts';
import { LineSplitter } from './line-splitter.ts';

function feed(splitter: LineSplitter, ...chunks: (string | Buffer)[]) {
  const lines: string[] = [];
  const errors = chunks.map((chunk) =>
    splitter.push(Buffer.from(chunk as string), (line) => lines.push(line)),
  );
  return { lines, code: errors.find((error) => error)?.code };
}

describe('LineSplitter', () => {
  it('cuts a chunk into its lines and keeps the unfinished one', () => {
    const splitter = new LineSplitter();
    expect(feed(splitter, '{"a":1}\n{"b":2}\n{"c"').lines).toEqual(['{"a":1}', '{"b":2}']);
    expect(feed(splitter, ':3}\n').lines).toEqual(['{"c":3}']);
    expect(splitter.end()).toBeUndefined();
  });

  it('gives the same lines however the stream is cut', () => {
    const text = '{"key":"Grüße 🦉"}\r\n\n{"b":"ß"}\nlast';
    for (let size = 1; size <= text.length + 6; size++) {
      const bytes = Buffer.from(text);
      const chunks: Buffer[] = [];
      for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.subarray(i, i + size));
      const splitter = new LineSplitter();
      expect(feed(splitter, ...chunks)).toEqual({
        lines: ['{"key":"Grüße 🦉"}', '{"b":"ß"}'],
        code: undefined,
      });
      expect(splitter.end()?.code).toBe('PREWAKE_LINE_TRUNCATED');
    }
  });

  it('takes a line of exactly the limit, newline included, and refuses one byte more', () => {
    const fits = 'x'.repeat(MAX_LINE_BYTES - 1);
    expect(feed(new LineSplitter(), `${fits}\n`).lines).toEqual([fits]);
    expect(feed(new LineSplitter(), fits, '\n').lines).toEqual([fits]);
    expect(feed(new LineSplitter(), `ok\n${fits}x\n`)).toEqual({
      lines: ['ok'],
      code: 'PREWAKE_LINE_TOO_LONG',
    });
  });

  it('counts bytes and not characters', () => {
    const fits = 'ß'.repeat(MAX_LINE_BYTES / 2 - 1);
    expect(feed(new LineSplitter(), `${fits}\n`).lines).toEqual([fits]);
    expect(feed(new LineSplitter(), `${fits}ß\n`).code).toBe('PREWAKE_LINE_TOO_LONG');
  });

  it('refuses an endless line as soon as it passes the limit, also byte by byte', () => {
    const splitter = new LineSplitter();
    let taken = 0;
    while (!splitter.push(Buffer.from('x'), () => {})) taken++;
    expect(taken).toBe(MAX_LINE_BYTES - 1);
    expect(feed(new LineSplitter(), Buffer.alloc(1 << 20, 0x61)).code).toBe('PREWAKE_LINE_TOO_LONG');
  });

  it('refuses what is not UTF-8', () => {
    expect(feed(new LineSplitter(), Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a])).code).toBe(
      'PREWAKE_LINE_NOT_UTF8',
    );
    expect(feed(new LineSplitter(), Buffer.from([0xc3]), '\n').code).toBe('PREWAKE_LINE_NOT_UTF8');
  });

  it('takes nothing more after an error', () => {
    const splitter = new LineSplitter(8);
    expect(feed(splitter, '123456789\n').code).toBe('PREWAKE_LINE_TOO_LONG');
    expect(feed(splitter, 'ok\n')).toEqual({ lines: [], code: 'PREWAKE_LINE_TOO_LONG' });
    expect(splitter.end()?.fatal).toBe(true);
  });

  it('stops where the reader says so', () => {
    const seen: string[] = [];
    new LineSplitter().push(Buffer.from('a\nb\nc\n'), (line) => {
      seen.push(line);
      return line !== 'b';
    });
    expect(seen).toEqual(['a', 'b']);
  });

  it('does not keep a large chunk alive for a small remainder', () => {
    const splitter = new LineSplitter();
    const chunk = Buffer.from('whole\nrest');
    splitter.push(chunk, () => {});
    chunk.fill(0x7a);
    expect(feed(splitter, '!\n').lines).toEqual(['rest!']);
  });

  it('holds nothing of an empty chunk', () => {
    const splitter = new LineSplitter();
    expect(feed(splitter, '').lines).toEqual([]);
    expect(splitter.end()).toBeUndefined();
  });
});
