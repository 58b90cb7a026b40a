import sqlite from 'node-sqlite3-wasm';
import { readLatencies } from '../latency.ts';

/** Creates the SQLite database that the agent works with: the measured latencies, and an empty table of findings. */
export function createDatabase(file: string): sqlite.Database {
  const database = new sqlite.Database(file);
  database.exec(`
    CREATE TABLE latency (provider TEXT, model TEXT, ttft_ms REAL, inter_token_ms REAL);
    CREATE TABLE findings (topic TEXT, file TEXT, matches INTEGER, lines INTEGER);
    BEGIN`);
  const insert = database.prepare('INSERT INTO latency VALUES (?, ?, ?, ?)');
  for (const row of readLatencies()) insert.run([row.provider, row.model, row.ttftMs, row.interTokenMs]);
  insert.finalize();
  database.exec('COMMIT');
  return database;
}
