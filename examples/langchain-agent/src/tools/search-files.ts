import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tool } from 'langchain';
import { z } from 'zod';

/** Finds a word in all `.js` files under `root`: reads them all, through libuv's thread pool. */
export function searchFiles(root: string) {
  return tool(
    async ({ text, limit }) => {
      const names = await readdir(root, { recursive: true });
      const files = names.filter((name) => name.endsWith('.js')).sort();
      const found = await Promise.all(
        files.map(async (path) => {
          const body = await readFile(join(root, path), 'utf8');
          return { path, matches: body.split(text).length - 1 };
        }),
      );
      const hits = found.filter(({ matches }) => matches > 0).sort((a, b) => b.matches - a.matches);
      return JSON.stringify({
        searched: files.length,
        files: hits.length,
        matches: hits.reduce((sum, { matches }) => sum + matches, 0),
        top: hits.slice(0, limit),
      });
    },
    {
      name: 'search_files',
      description: 'Counts the occurrences of a text in all source files; gives the files with the most.',
      schema: z.object({ text: z.string().min(1), limit: z.int().min(1).max(50).default(10) }),
    },
  );
}
