import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Kallsyms } from './kallsyms.ts';

describe('Kallsyms', () => {
  let root: string;

  beforeEach(() => {
    root = `${mkdtempSync(join(tmpdir(), 'prewake-kallsyms-'))}/`;
    mkdirSync(`${root}proc`);
  });

  afterEach(() => rmSync(root, { recursive: true }));

  it('finds functions of the kernel and of modules by their exact address', async () => {
    const lines = [
      'ffffffff81000000 T _text',
      'ffffffff81234560 t blk_mq_run_work_fn',
      'ffffffffc0001000 t ext4_end_io_rsv_work\t[ext4]',
    ];
    writeFileSync(`${root}proc/kallsyms`, `${lines.join('\n')}\n`);
    const symbols = new Kallsyms(root);
    const addresses = [
      0xffff_ffff_8100_0000n,
      0xffff_ffff_8123_4560n,
      0xffff_ffff_c000_1000n,
      0xffff_ffff_8123_4561n,
    ];
    expect(addresses.map((address) => symbols.name(address))).toEqual(['', '', '', '']);
    await symbols.settled();
    expect(addresses.map((address) => symbols.name(address))).toEqual([
      ...['_text', 'blk_mq_run_work_fn', 'ext4_end_io_rsv_work', ''],
    ]);
  });

  it('knows nothing where the kernel hides addresses or there is no file', async () => {
    for (const text of [undefined, '0000000000000000 T _text\n']) {
      if (text !== undefined) writeFileSync(`${root}proc/kallsyms`, text);
      const symbols = new Kallsyms(root);
      symbols.name(0xffff_ffff_8100_0000n);
      await symbols.settled();
      expect(symbols.name(0xffff_ffff_8100_0000n)).toBe('');
    }
  });
});
