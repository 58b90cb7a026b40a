import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('without hostd and without a recording span no file is read', (ctx) => {
  const script = `
    import { connect, step, wait, tool } from ${JSON.stringify(new URL('../index.js', import.meta.url.replace('/src/', '/dist/')).href)};
    connect({ socket: '/nowhere/hostd.sock' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.stderr.write('BEGIN');
    for (let i = 0; i < 1000; i++) await step({ kind: 'llm', key: 'm' }, () => wait(Promise.resolve(i)));
    process.stderr.write('END');
  `;
  const calls = 'trace=openat,open,read,pread64,readlink,stat,statx,write';
  const node = [process.execPath, '--input-type=module', '-e', script];
  const { stderr, error } = spawnSync('strace', ['-f', '-e', calls, ...node], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (error) ctx.skip(`strace can't be run: ${error.message}`);
  const [, between] = /write\(2, "BEGIN"[^\n]*\n([\s\S]*)write\(2, "END"/.exec(stderr) ?? [];
  // Other threads of Node wake each other through eventfds, of 8 bytes: no file is behind those.
  const files = (between ?? 'markers not found')
    .split('\n')
    .filter((line) => / (open|openat|pread64|readlink|stat|statx)\(/.test(` ${line}`))
    // V8 asks once for the clock's frequency, from a thread of its own, when it first needs it, and glibc for the mode
    // of overcommitting when the heap of such a thread shrinks.
    .filter((line) => !/tsc_freq_khz|overcommit_memory/.test(line));
  expect(between).toBeDefined();
  expect(files).toEqual([]);
});
