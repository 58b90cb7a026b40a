import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from 'node-sqlite3-wasm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDatabase } from './database.ts';
import { querySql } from './query-sql.ts';
import { readFileLines } from './read-file.ts';
import { runCommand } from './run-command.ts';
import { searchFiles } from './search-files.ts';

let root: string;
let database: Database;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'prewake-tools-'));
  await writeFile(join(root, 'one.js'), 'retry\nretry\nthen give up\n');
  await writeFile(join(root, 'two.js'), 'retry\n');
  await writeFile(join(root, 'three.ts'), 'retry\n');
  database = createDatabase(join(root, 'agent.db'));
});

afterEach(async () => {
  database.close();
  await rm(root, { recursive: true });
});

test('search_files counts in .js files, the most first', async () => {
  expect(JSON.parse(await searchFiles(root).invoke({ text: 'retry' }))).toEqual({
    searched: 2,
    files: 2,
    matches: 3,
    top: [
      { path: 'one.js', matches: 2 },
      { path: 'two.js', matches: 1 },
    ],
  });
});

test('read_file gives the lines asked for and the number of all', async () => {
  const answer = await readFileLines(root).invoke({ path: 'one.js', from: 2, lines: 2 });
  expect(JSON.parse(answer)).toEqual({ path: 'one.js', lines: 3, text: 'retry\nthen give up' });
});

test('read_file reads nothing outside of the tree', async () => {
  await expect(readFileLines(root).invoke({ path: '../../etc/passwd' })).rejects.toThrow('outside');
});

test('run_command runs a child in the tree; a failing exit code is an answer', async () => {
  const command = runCommand(root);
  const counted = await command.invoke({ program: 'wc', args: ['-l', 'one.js'] });
  expect(JSON.parse(counted)).toEqual({ exitCode: 0, stdout: '3 one.js\n', stderr: '' });
  const missed = await command.invoke({ program: 'grep', args: ['-c', 'nowhere', 'one.js'] });
  expect(JSON.parse(missed)).toMatchObject({ exitCode: 1, stdout: '0\n' });
});

test('run_command: a program without a file finds the end of its stdin, and no other program is run', async () => {
  const command = runCommand(root);
  expect(JSON.parse(await command.invoke({ program: 'wc', args: ['-l'] })).stdout).toBe('0\n');
  await expect(command.invoke({ program: 'rm' as 'wc', args: ['-rf', '/'] })).rejects.toThrow();
});

test('query_sql reads the measured latencies, keeps findings, and answers a mistake', async () => {
  const sql = querySql(database);
  const ask = async (text: string) => JSON.parse(await sql.invoke({ sql: text }));
  expect(await ask('SELECT count(*) AS n FROM latency')).toEqual({ rows: [{ n: 1409 }] });
  await ask("INSERT INTO findings VALUES ('retry', 'one.js', 2, 3)");
  expect(await ask('SELECT matches FROM findings')).toEqual({ rows: [{ matches: 2 }] });
  expect((await ask('SELECT ttft FROM latency')).error).toMatch('no such column');
});
