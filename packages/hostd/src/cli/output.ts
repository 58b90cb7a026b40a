import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Colour on a terminal that wants it (NO_COLOR is heeded), plain text everywhere else. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** What others may have chosen (keys, names, reasons) cannot steer the terminal. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '�');
}

/** Left-aligned columns, numbers to the right. No rows: one line that says so. */
export function table(heads: string[], rows: (string | number | undefined)[][], empty: string): string {
  if (rows.length === 0) return empty;
  const cells = rows.map((row) => row.map((cell) => harmless(String(cell ?? '–'))));
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const numeric = heads.map((_, i) => rows.every((row) => typeof row[i] !== 'string'));
  const line = (row: string[]) =>
    row
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [paint('dim', line(heads)), ...cells.map(line)].join('\n');
}

const UNITS = [
  ['µs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['min', 60e9],
  ['h', 3600e9],
  ['d', 86_400e9],
] as const;

/** 1234567 → `1.23 ms`. Three digits, in the largest unit of which that is at least one. */
export function duration(ns: number): string {
  let text = `${Math.round(ns)} ns`;
  let shown = Math.round(ns);
  for (const [unit, size] of UNITS) {
    // What is shown decides, and not what was: 59.99 s is a minute, and not 60.0 s.
    if (Math.abs(shown) < size) break;
    const digits = threeDigits((Math.abs(ns) < size ? shown : ns) / size);
    text = `${digits} ${unit}`;
    shown = Number(digits) * size;
  }
  return text;
}

/** toPrecision alone writes a thousand as 1.00e+3. */
const threeDigits = (value: number) =>
  Math.abs(value) < 999.5 ? value.toPrecision(3) : String(Math.round(value));
