import type { Database } from 'node-sqlite3-wasm';
import { querySql } from './query-sql.ts';
import { readFileLines } from './read-file.ts';
import { runCommand } from './run-command.ts';
import { searchFiles } from './search-files.ts';

export { createDatabase } from './database.ts';

/** The agent's tools. `root` is the source tree that it may read. */
export function createTools(root: string, database: Database) {
  return [searchFiles(root), readFileLines(root), runCommand(root), querySql(database)];
}
