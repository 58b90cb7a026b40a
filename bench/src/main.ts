import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benches } from './benches.ts';
import { renderDocument, renderResult } from './document.ts';
import type { BenchResult, RunInfo } from './result.ts';

const USAGE = `Usage: npm run bench [-- options] [name …]

Runs the named benchmarks, or all, one after the other. Nothing else should run on the machine meanwhile.

${benches.map((bench) => `  ${bench.name.padEnd(14)} ${bench.title} (about ${bench.seconds} s)`).join('\n')}

  --json DIR    where each result is written as JSON (default: bench/results)
  --quick       few rounds: shows that it runs, and is no measurement; writes only where --json says
  --document    write docs/benchmarks.md from the results that are there, and run nothing
  --help        print this`;

const root = fileURLToPath(new URL('../..', import.meta.url));
const resultsDir = join(root, 'bench', 'results');

function runInfo(quick: boolean): RunInfo {
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    quick,
  };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      quick: { type: 'boolean', default: false },
      document: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(', ')}`);
  const stored = () =>
    benches.flatMap((bench) => {
      try {
        return [
          JSON.parse(readFileSync(join(resultsDir, `${bench.name}.json`), 'utf8')) as BenchResult & {
            run: RunInfo;
          },
        ];
      } catch {
        return [];
      }
    });
  if (values.document) {
    writeFileSync(join(root, 'docs', 'benchmarks.md'), renderDocument(stored()));
    return;
  }
  const dir = values.json ?? (values.quick ? undefined : resultsDir);
  for (const bench of benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    process.stderr.write(`${bench.name}: about ${values.quick ? 'a few' : bench.seconds} s\n`);
    try {
      const result = await bench.run({
        quick: values.quick,
        progress: (line) => process.stderr.write(`${bench.name}: ${line}\n`),
      });
      console.log(`\n${renderResult(result)}`);
      if (!dir) continue;
      mkdirSync(dir, { recursive: true });
      const run = runInfo(values.quick);
      writeFileSync(join(dir, `${bench.name}.json`), `${JSON.stringify({ ...result, run }, null, 1)}\n`);
    } catch (error) {
      // One that can't run here takes none of the others with it.
      console.error(`${bench.name}: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
}

try {
  await main();
} catch (error) {
  console.error(`${(error as Error).message}; --help lists the options`);
  process.exitCode = 2;
}
