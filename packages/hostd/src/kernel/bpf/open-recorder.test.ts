import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KERNEL_CATEGORIES } from '@prewake/sdk/protocol';
import { describe, expect, it } from 'vitest';
import { fixtureTree } from '../fixture-tree.testkit.ts';
import { Known } from '../slice.ts';
import { openRecorder } from './index.ts';
import { missingPrivilege } from './privilege.ts';

const root = process.getuid?.() === 0;
const source = fileURLToPath(new URL('./index.ts', import.meta.url));

/** Opens a recorder in a process of its own and tells what it is. */
function described(before: string[], options = '{}'): { source: string; reason?: string } {
  const script = `
    import { openRecorder } from ${JSON.stringify(source)};
    const recorder = openRecorder(${options});
    console.log(JSON.stringify({ source: recorder.source, reason: recorder.reason }));
    recorder.close();`;
  const node = [process.execPath, '--conditions=@prewake/source', '--input-type=module', '-e', script];
  const [command, ...args] = [...before, ...node] as [string, ...string[]];
  return JSON.parse(execFileSync(command, args, { encoding: 'utf8' }));
}

/** Of this process's maps that forget (BPF_MAP_TYPE_LRU_HASH). */
function lruSizes(): number[] {
  return readdirSync('/proc/self/fdinfo')
    .map((fd) => {
      const path = `/proc/self/fdinfo/${fd}`;
      return existsSync(path) ? readFileSync(path, 'latin1') : ''; // That of the listing itself is gone.
    })
    .filter((info) => /^map_type:\t9$/m.test(info))
    .map((info) => Number(/^max_entries:\t(\d+)$/m.exec(info)?.[1]))
    .sort((a, b) => a - b);
}

describe('openRecorder', () => {
  it.runIf(root)('falls back to schedstat without the privileges, and names them', () => {
    const capless = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--reuid=65534'];
    const { source, reason } = described([...capless, '--regid=65534', '--clear-groups']);
    expect([source, reason]).toEqual(['schedstat', 'needs CAP_BPF and CAP_PERFMON']);
  });

  it.runIf(missingPrivilege() === undefined)('names the package where libbpf is missing', (context) => {
    const hide =
      'for f in $(ldconfig -p | sed -n "s/.*libbpf.so.1 .*=> //p"); do mount --bind /dev/null $f; done; exec "$0" "$@"';
    const separate = ['unshare', '-m', 'sh', '-c', hide];
    if (spawnSync('unshare', ['-m', 'true']).status !== 0) context.skip('no mount namespaces here');
    const { source, reason } = described(separate);
    expect(source).toBe('schedstat');
    expect(reason).toContain('Debian: libbpf1');
  });

  it('knows nothing, and says why, where there is not even schedstat', () => {
    const empty = `${mkdtempSync(join(tmpdir(), 'prewake-empty-'))}/`;
    try {
      mkdirSync(`${empty}proc/self`, { recursive: true });
      writeFileSync(`${empty}proc/self/status`, 'CapEff:\t0000000000000000\n');
      const recorder = openRecorder({ root: empty });
      expect(recorder).toMatchObject({ source: 'none', known: 0, attached: false });
      expect(recorder.reason).toContain('CAP_BPF');
      expect(recorder.reason).toContain('schedstat');
      expect(recorder.categories.map((c) => [c.category, c.tier])).toEqual(
        KERNEL_CATEGORIES.map((category) => [category, 'unavailable']),
      );
    } finally {
      rmSync(empty, { recursive: true });
    }
  });

  it.runIf(missingPrivilege() === undefined)('gives a tier or a reason for every category', () => {
    const recorder = openRecorder();
    expect(recorder.categories.map((c) => c.category)).toEqual([...KERNEL_CATEGORIES]);
    for (const { tier, reason } of recorder.categories) {
      if (tier === 'unavailable' || tier === 'counters') continue;
      expect(['tp_btf', 'fentry', 'kprobe']).toContain(tier);
      if (tier === 'kprobe') expect(reason).toBeTruthy();
    }
    for (const { tier, reason } of recorder.categories)
      if (tier === 'unavailable') expect(reason).toBeTruthy();
    recorder.close();
  });

  it.runIf(missingPrivilege() === undefined)('leaves frequency out where the hardware manages it', () => {
    using tree = fixtureTree({ policies: [[0, 1]], policy: { scaling_driver: 'amd-pstate-epp' } });
    const recorder = openRecorder({ root: `${tree.root}/` });
    expect(recorder.categories.find((c) => c.category === 'frequency')).toEqual({
      category: 'frequency',
      tier: 'unavailable',
      reason: 'amd-pstate-epp leaves the frequency to the hardware, and tells of no change',
    });
    expect(recorder.known & Known.frequency).toBe(0);
    recorder.close();
  });

  it.runIf(missingPrivilege() === undefined)('has room for what each of many CPUs keeps to itself', () => {
    const [few, many] = ['0-1', '0-63'].map((possible) => {
      using tree = fixtureTree({ files: { 'sys/devices/system/cpu/possible': `${possible}\n` } });
      const recorder = openRecorder({ root: `${tree.root}/` });
      expect(recorder.source).toBe('bpf');
      const sizes = lruSizes();
      recorder.close();
      return sizes;
    });
    expect(few).toEqual([1024, 1024, 1024, 4096, 4096]);
    expect(many).toEqual([16_384, 16_384, 16_384, 16_384, 16_384]);
  });

  it.runIf(missingPrivilege() === undefined)('keeps no process alive, attached or not', () => {
    const script = `
      import { openRecorder } from ${JSON.stringify(source)};
      const recorder = openRecorder();
      recorder.onPressure = () => {};
      recorder.attach();
      recorder.track(process.pid);
      setTimeout(() => console.log('the end'), 100);`;
    const node = ['--conditions=@prewake/source', '--input-type=module', '-e', script];
    const { stdout, status } = spawnSync(process.execPath, node, { encoding: 'utf8', timeout: 20_000 });
    expect([stdout, status]).toEqual(['the end\n', 0]);
  });
});
