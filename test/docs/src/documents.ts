import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A Markdown file of the project, its path from the root. */
export interface Document {
  path: string;
  text: string;
}

export function documents(): Document[] {
  const patterns = [
    'README.md',
    'docs/*.md',
    'packages/*/README.md',
    'examples/*/README.md',
    'bench/README.md',
  ];
  return globSync(patterns, { cwd: root })
    .sort()
    .map((path) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') }));
}

/** A fenced block of code, and the line on which its code begins, from 1. */
export interface Snippet {
  path: string;
  language: string;
  line: number;
  code: string;
}

export function snippets({ path, text }: Document): Snippet[] {
  const found: Snippet[] = [];
  let open: { fence: string; snippet: Snippet } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (open) {
      if (line.trim() === open.fence) {
        found.push(open.snippet);
        open = undefined;
      } else open.snippet.code += `${line}\n`;
      continue;
    }
    const [, fence, language = ''] = /^(`{3,})(\w*)/.exec(line) ?? [];
    if (fence) open = { fence, snippet: { path, language, line: index + 2, code: '' } };
  }
  if (open) throw new Error(`${path}:${open.snippet.line - 1}: this block is never closed`);
  return found;
}

/** A document without its blocks of code. */
export function prose({ text }: Document): string {
  return text.replace(/^(`{3,})[\s\S]*?\n\1\s*$/gm, '');
}

/** The anchor that GitHub gives to each heading. */
export function anchors(document: Document): Set<string> {
  const headings = prose(document).matchAll(/^#{1,6} +(.+)$/gm);
  const seen = new Map<string, number>();
  const names = new Set<string>();
  for (const [, heading = ''] of headings) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const name = plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    names.add(count === 0 ? name : `${name}-${count}`);
  }
  return names;
}
