import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectPath } from './object-path.ts';
import * as layout from './record-layout.ts';

/** With which the committed objects were built. */
const CLANG_MAJOR = 14;
const ARCHITECTURES = ['x64', 'arm64'];

const missing = ['clang', 'llvm-objdump', 'bpftool', 'readelf'].filter(
  (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
);
const major = missing.includes('clang') ? 0 : clangMajor();
const mode = major === CLANG_MAJOR ? `rebuilt with clang ${major}` : `clang is ${major}, not ${CLANG_MAJOR}`;

describe.skipIf(missing.length > 0)(`the committed BPF objects (${missing.join(', ') || mode})`, () => {
  let directory: string;
  const built = (architecture: string): string => join(directory, `prewake.${architecture}.bpf.o`);

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'prewake-object-'));
    execFileSync(join(dirname(objectPath()), 'build.sh'), [directory]);
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  for (const architecture of ARCHITECTURES) {
    it(`${architecture}: has the programs and maps of its source`, () => {
      const committed = symbols(objectPath(architecture));
      expect(committed).toEqual(symbols(built(architecture)));
      expect(committed).toContain('FUNC pw_switch');
      expect(committed).toContain('OBJECT ring');
    });

    it(`${architecture}: has the records and maps of its source, byte for byte`, () => {
      const types = layouts(objectPath(architecture));
      expect(types).toEqual(layouts(built(architecture)));
      expect(types.get('pw_slice')?.bytes).toBe(layout.SLICE_BYTES);
    });

    it.runIf(major === CLANG_MAJOR)(`${architecture}: has the instructions of its source`, () => {
      const committed = instructions(objectPath(architecture));
      expect(committed.length).toBeGreaterThan(1000);
      expect(committed).toEqual(instructions(built(architecture)));
    });

    it(`${architecture}: is read where it writes`, () => {
      const types = layouts(objectPath(architecture));
      for (const [name, offsets] of [
        [
          'pw_slice',
          { ...layout.SliceOffset, cause_comm: undefined, origin_id: undefined, origin: undefined },
        ],
        ['pw_fork', layout.ForkOffset],
        ['pw_exit', layout.ExitOffset],
        ['pw_event', layout.EventOffset],
        ['shared', layout.SharedOffset],
        ['cpu_state', layout.CpuStateOffset],
      ] as const) {
        const members = types.get(name)?.members;
        for (const [member, offset] of Object.entries(offsets)) {
          if (offset !== undefined)
            expect([name, member, members?.get(member)]).toEqual([name, member, offset]);
        }
      }
      // The union of the comm, or the function and the origin, has no name of its own.
      expect(types.get('pw_slice')?.members.get('(anon)')).toBe(layout.SliceOffset.cause_comm);
      expect(layout.SliceOffset.origin_id).toBe(layout.SliceOffset.cause_comm + 8);
      expect(layout.SliceOffset.origin).toBe(layout.SliceOffset.cause_comm + 12);
      expect(types.get('cpu_state')?.bytes).toBe(layout.CPU_STATE_BYTES);
    });
  }
});

function clangMajor(): number {
  return Number(/version (\d+)/.exec(execFileSync('clang', ['--version'], { encoding: 'utf8' }))?.[1]);
}

function symbols(path: string): string[] {
  return execFileSync('readelf', ['-sW', path], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , type]) => type === 'FUNC' || type === 'OBJECT')
    .map((fields) => `${fields[3]} ${fields[7]}`)
    .sort();
}

/** Every instruction, with the section it is in; without the lines that name the file. */
function instructions(path: string): string[] {
  return execFileSync('llvm-objdump', ['-dr', '--no-show-raw-insn', path], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
    .split('\n')
    .slice(3);
}

interface Layout {
  bytes: number;
  members: Map<string, number>;
}

/** The structs in an object's BTF. */
function layouts(path: string): Map<string, Layout> {
  const text = execFileSync('bpftool', ['btf', 'dump', 'file', path], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const found = new Map<string, Layout>();
  let current: Layout | undefined;
  for (const line of text.split('\n')) {
    const struct = /^\[\d+\] STRUCT '(\w+)' size=(\d+)/.exec(line);
    if (struct) {
      current = { bytes: Number(struct[2]), members: new Map() };
      found.set(struct[1] as string, current);
    } else if (line.startsWith('[')) current = undefined;
    const member = /^\t'([^']+)' type_id=\d+ bits_offset=(\d+)/.exec(line);
    if (member) current?.members.set(member[1] as string, Number(member[2]) / 8);
  }
  return found;
}
