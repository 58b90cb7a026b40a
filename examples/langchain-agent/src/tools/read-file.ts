import { open } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { tool } from 'langchain';
import { z } from 'zod';

/** Reads lines of a file under `root`. */
export function readFileLines(root: string) {
  return tool(
    async ({ path, from, lines }) => {
      const file = resolve(root, path);
      if (!file.startsWith(resolve(root) + sep)) throw new Error(`outside of the source tree: ${path}`);
      await using handle = await open(file);
      const text: string[] = [];
      let number = 0;
      for await (const line of handle.readLines()) {
        number += 1;
        if (number >= from && number < from + lines) text.push(line);
      }
      return JSON.stringify({ path, lines: number, text: text.join('\n') });
    },
    {
      name: 'read_file',
      description: 'Reads lines of a source file and counts all of its lines.',
      schema: z.object({
        path: z.string(),
        from: z.int().min(1).default(1),
        lines: z.int().min(1).max(200).default(20),
      }),
    },
  );
}
