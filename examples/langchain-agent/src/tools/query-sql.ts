import { tool } from 'langchain';
import type { Database } from 'node-sqlite3-wasm';
import { z } from 'zod';

/** Runs one SQL statement. An SQL mistake is an answer, so that the model can correct itself. */
export function querySql(database: Database) {
  return tool(
    ({ sql }) => {
      try {
        const rows = database.all(sql);
        return JSON.stringify({ rows: rows.slice(0, 50) });
      } catch (error) {
        return JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
      }
    },
    {
      name: 'query_sql',
      description:
        'Runs one SQLite statement. Tables: latency (provider, model, ttft_ms, inter_token_ms), findings (topic, file, matches, lines).',
      schema: z.object({ sql: z.string() }),
    },
  );
}
