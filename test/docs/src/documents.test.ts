import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { loadConfig } from '@prewake/hostd';
import { ERROR_CODES } from '@prewake/sdk/protocol';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { anchors, documents, prose, root, snippets } from './documents.ts';

const all = documents();
const blocks = all.flatMap(snippets);
const workDir = join(import.meta.dirname, '..', '.cache', 'snippets');

describe('the documentation', () => {
  it('has links that lead somewhere', () => {
    const broken: string[] = [];
    for (const document of all) {
      const text = prose(document).replace(/`[^`\n]*`/g, '');
      for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue;
        const [file = '', anchor] = link.split('#');
        const path = file === '' ? document.path : normalize(join(dirname(document.path), file));
        const target = all.find((other) => other.path === path);
        if (!existsSync(join(root, path))) broken.push(`${document.path}: ${link} does not exist`);
        else if (anchor && target && !anchors(target).has(anchor))
          broken.push(`${document.path}: ${link} has no such heading`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('links to nothing outside of its package where it is published with it', () => {
    const outside = all
      .filter(({ path }) => path.startsWith('packages/'))
      .flatMap((document) =>
        [...prose(document).matchAll(/\]\((\.\.[^)\s]*)\)/g)].map(([, link]) => `${document.path}: ${link}`),
      );
    expect(outside).toEqual([]);
  });

  it('has TypeScript that compiles', () => {
    const typescript = blocks.filter(({ language }) => language === 'ts');
    rmSync(workDir, { recursive: true, force: true });
    mkdirSync(workDir, { recursive: true });
    for (const { path, line, code } of typescript) {
      // As many empty lines before it as in the document: errors then name the document's own line.
      const name = `${path.replaceAll('/', '__')}.${line}.ts`;
      writeFileSync(join(workDir, name), '\n'.repeat(line - 1) + code);
    }
    const options = {
      extends: join(root, 'tsconfig.base.json'),
      compilerOptions: { composite: false, noEmit: true, moduleDetection: 'force', customConditions: [] },
      include: ['*.ts'],
    };
    writeFileSync(join(workDir, 'tsconfig.json'), JSON.stringify(options));
    const tsc = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', workDir, '--pretty', 'false'], {
      encoding: 'utf8',
    });
    expect(tsc.stdout + tsc.stderr).toBe('');
    expect(tsc.status).toBe(0);
    expect(typescript.length).toBeGreaterThan(0);
  });

  it('has JSON and YAML that can be read', () => {
    for (const { language, code, path, line } of blocks) {
      const where = `${path}:${line}`;
      if (language === 'json') expect(() => JSON.parse(code), where).not.toThrow();
      if (language === 'yaml') expect(() => parse(code), where).not.toThrow();
    }
  });

  it('has the generated parts as they would be generated now', () => {
    const docs = spawnSync(process.execPath, [join(root, 'scripts/docs.mjs'), '--check'], {
      encoding: 'utf8',
    });
    expect(docs.stdout + docs.stderr).toBe('');
  });

  it('names every error code of the wire', () => {
    const protocol = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
    for (const code of Object.keys(ERROR_CODES)) expect(protocol).toContain(`\`${code}\``);
  });

  it('names every error code of the packages', () => {
    const sources = globSync('packages/*/src/**/*.ts', { cwd: root }).filter(
      (path) => !/\.(test|testkit)\.ts$/.test(path),
    );
    const codes = new Set(
      sources.flatMap(
        (path) => readFileSync(join(root, path), 'utf8').match(/(?<=')PREWAKE_[A-Z_]+(?=')/g) ?? [],
      ),
    );
    const named = all.map(prose).join('\n');
    expect(codes.size).toBeGreaterThan(Object.keys(ERROR_CODES).length);
    expect([...codes].filter((code) => !named.includes(`\`${code}\``))).toEqual([]);
  });
});

describe('the examples of docs/configuration.md', () => {
  const examples = blocks.filter(
    ({ path, language }) => path === 'docs/configuration.md' && language === 'yaml',
  );

  it('are valid', async () => {
    const host = { env: {}, root: true, cpus: 2 };
    expect(examples.length).toBeGreaterThan(0);
    for (const { code } of examples) {
      const file = join(workDir, 'hostd.yaml');
      writeFileSync(file, code);
      await loadConfig({ config: file }, host);
    }
  });
});
