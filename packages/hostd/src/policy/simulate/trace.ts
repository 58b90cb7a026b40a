import { PrewakeError } from '@prewake/sdk/protocol';
import { CsvError, parse } from 'csv-parse/sync';

/** One wait of a recorded trace. */
export interface TraceRow {
  session: string;
  kind: string;
  key: string;
  /** From the session's start, milliseconds. */
  startMs: number;
  waitMs: number;
  inputTokens: number | undefined;
}

const COLUMNS = ['session', 'kind', 'key', 'start_ms', 'wait_ms', 'input_tokens'] as const;
type Column = (typeof COLUMNS)[number];

/** Longest wait and latest start that make sense: a year. */
const MAX_MS = 366 * 86_400_000;

/**
 * Reads a trace: CSV with a header line that names at least the columns above, in any order.
 * @throws PrewakeError PREWAKE_USAGE with line and column of what is wrong
 */
export function parseTrace(csv: string, file: string): TraceRow[] {
  const fail = (line: number, message: string) =>
    new PrewakeError('PREWAKE_USAGE', `${file}:${line}: ${message}`);
  const [header, ...records] = readRecords(csv, fail);
  if (!header) throw fail(1, 'is empty; the first line must name the columns');
  const missing = COLUMNS.filter((column) => !header.record.includes(column));
  if (missing.length > 0) throw fail(header.line, `has no column ${missing.join(', ')}`);
  const at = Object.fromEntries(COLUMNS.map((column) => [column, header.record.indexOf(column)]));
  return records.map(({ record, line }) => {
    if (record.length !== header.record.length) {
      throw fail(line, `has ${record.length} fields, the header ${header.record.length}`);
    }
    const field = (column: Column) => (record[at[column] as number] as string).trim();
    const text = (column: Column) => {
      if (field(column) === '') throw fail(line, `column ${column} is empty`);
      return field(column);
    };
    const number = (column: Column) => {
      // Number() takes 0x10 as well.
      const value = /^[-+.\de]+$/i.test(text(column)) ? Number(field(column)) : Number.NaN;
      if (value >= 0 && value <= MAX_MS) return value;
      throw fail(
        line,
        `column ${column}: ${JSON.stringify(field(column))} is not a number from 0 to ${MAX_MS}`,
      );
    };
    return {
      session: text('session'),
      kind: text('kind'),
      key: field('key'),
      startMs: number('start_ms'),
      waitMs: number('wait_ms'),
      inputTokens: field('input_tokens') === '' ? undefined : number('input_tokens'),
    };
  });
}

function readRecords(
  csv: string,
  fail: (line: number, message: string) => PrewakeError,
): { record: string[]; line: number }[] {
  try {
    const options = { bom: true, skip_empty_lines: true, relax_column_count: true, info: true };
    // With `info` each record comes with where it was read; the declared type is the one without.
    const read = parse(csv, options) as unknown as { record: string[]; info: { lines: number } }[];
    return read.map(({ record, info }) => ({ record, line: info.lines }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw fail(Number(error.lines) || 1, error.message);
  }
}
