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

  it('finds functions of the kernel and of modules by their exact address', () => {
    const lines = [
      'ffffffff81000000 T _text',
      'ffffffff81234560 t blk_mq_run_work_fn',
      'ffffffffc0001000 t ext4_end_io_rsv_work\t[ext4]',
    ];
    writeFileSync(`${root}proc/kallsyms`, `${lines.join('\n')}\n`);
    const symbols = new Kallsyms(root);
    expect(symbols.name(0xffff_ffff_8100_0000n)).toBe('_text');
    expect(symbols.name(0xffff_ffff_8123_4560n)).toBe('blk_mq_run_work_fn');
    expect(symbols.name(0xffff_ffff_c000_1000n)).toBe('ext4_end_io_rsv_work');
    expect(symbols.name(0xffff_ffff_8123_4561n)).toBe('');
  });

  it('knows nothing where the kernel hides addresses or there is no file', () => {
    expect(new Kallsyms(root).name(0xffff_ffff_8100_0000n)).toBe('');
    writeFileSync(`${root}proc/kallsyms`, '0000000000000000 T _text\n');
    expect(new Kallsyms(root).name(0xffff_ffff_8100_0000n)).toBe('');
  });
});
