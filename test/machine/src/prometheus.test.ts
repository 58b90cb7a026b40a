import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HostdProcess } from '@prewake/bench/hostd-process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const unpacked = fileURLToPath(new URL('../../../.cache/debian/usr/bin', import.meta.url));
const env = { ...process.env, PATH: `${process.env.PATH}:${unpacked}` };
const has = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`], { env }).status === 0;
const here = has('prometheus') && has('promtool');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe.skipIf(!here)(
  `Debian's Prometheus${here ? '' : ' [the package prometheus is not installed]'}`,
  () => {
    let dir: string;
    let hostd: HostdProcess;
    let port: number;

    beforeEach(async () => {
      dir = mkdtempSync(join(tmpdir(), 'prewake-prometheus-'));
      port = await freePort();
      hostd = await HostdProcess.start('{}\n', ['--dry-run', '--metrics-listen', `127.0.0.1:${port}`]);
    });
    afterEach(async () => {
      await hostd.stop();
      rmSync(dir, { recursive: true, force: true });
    });

    it('finds nothing to complain of in the exposition', async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const check = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8', env });
      expect(check.stdout + check.stderr).toBe('');
      expect(check.status).toBe(0);
    });

    it('scrapes it', async () => {
      const web = await freePort();
      const config = join(dir, 'prometheus.yml');
      writeFileSync(
        config,
        `scrape_configs:\n  - job_name: prewake\n    scrape_interval: 1s\n    static_configs: [{ targets: ['127.0.0.1:${port}'] }]\n`,
      );
      const prometheus = spawn(
        'prometheus',
        [
          `--config.file=${config}`,
          `--storage.tsdb.path=${join(dir, 'data')}`,
          `--web.listen-address=127.0.0.1:${web}`,
        ],
        { env, stdio: 'ignore' },
      );
      try {
        const query = async (expression: string) => {
          const url = `http://127.0.0.1:${web}/api/v1/query?query=${encodeURIComponent(expression)}`;
          const answer = (await (await fetch(url)).json()) as {
            data: { result: { value: [number, string] }[] };
          };
          return answer.data.result[0]?.value[1];
        };
        await expect
          .poll(() => query('up{job="prewake"}').catch(() => undefined), { timeout: 40_000 })
          .toBe('1');
        await expect.poll(() => query('prewake_sessions'), { timeout: 20_000 }).toBe('0');
        expect(Number(await query('prewake_budget_tokens{bucket="host"}'))).toBeGreaterThan(0);
      } finally {
        const ended = new Promise((resolve) => prometheus.once('exit', resolve));
        prometheus.kill();
        await ended;
      }
    });
  },
);
