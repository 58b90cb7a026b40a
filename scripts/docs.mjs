// Writes the parts of docs/ that are made from code: configuration.md from the JSON schema, the table of error
// codes from the SDK. `node scripts/docs.mjs --check` only says whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './setup/root.mjs';

const schema = JSON.parse(readFileSync(join(root, 'packages/hostd/schema/hostd.schema.json'), 'utf8'));

/** The files with generated parts, as they ought to be. */
export async function generatedDocs() {
  const { ERROR_CODES } = await import(join(root, 'packages/sdk/dist/protocol/codes.js'));
  return {
    'docs/configuration.md': filled('docs/configuration.md', 'schema', sections()),
    'docs/protocol.md': filled('docs/protocol.md', 'error-codes', errorRows(ERROR_CODES)),
  };
}

function filled(file, mark, content) {
  const text = readFileSync(join(root, file), 'utf8');
  const between = new RegExp(`(<!-- ${mark}:[^\n]*-->\n)[^]*?(<!-- /${mark} -->)`);
  if (!between.test(text)) throw new Error(`${file} has no place marked ${mark}`);
  return text.replace(between, (_, open, close) => `${open}${content}${close}`);
}

function errorRows(codes) {
  const fatal = /^PREWAKE_(LINE_|TOO_MANY_ERRORS|BACKLOG_FULL|SHUTTING_DOWN)/;
  const row = ([code, means]) => `| \`${code}\` | ${fatal.test(code) ? 'yes' : ''} | ${means} |\n`;
  return `\n| code | fatal | means |\n| --- | --- | --- |\n${Object.entries(codes).map(row).join('')}\n`;
}

function sections() {
  const plain = Object.entries(schema.properties).filter(([, part]) => part.type !== 'object');
  const grouped = Object.entries(schema.properties).filter(([, part]) => part.type === 'object');
  const parts = [`### Top level\n\n${table(plain)}`];
  for (const [name, part] of grouped)
    parts.push(`### ${name}\n\n${part.description}\n\n${table(Object.entries(part.properties))}`);
  const bucket = schema.$defs.bucket;
  parts.push(`### A bucket\n\n${bucket.description}\n\n${table(Object.entries(bucket.properties))}`);
  return `\n${parts.join('\n')}\n`;
}

function table(entries) {
  const rows = entries.flatMap(([key, part]) => rowsOf(key, part));
  return `| key | allowed | default | |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function rowsOf(key, part) {
  const row = `| \`${key}\` | ${allowed(part)} | ${byDefault(part)} | ${part.description} |\n`;
  if (part.type !== 'object' || !part.properties) return [row];
  return [
    row,
    ...Object.entries(part.properties).flatMap(([name, below]) => rowsOf(`${key}.${name}`, below)),
  ];
}

function allowed(part) {
  if (part.enum) return part.enum.map((value) => `\`${value}\``).join(', ');
  if (part.$ref === '#/$defs/bucket') return '[bucket](#a-bucket)';
  if (part.$ref === '#/$defs/path') return 'absolute path';
  if (part.examples) return part.examples.map((value) => `\`${value}\``).join(', ');
  if (part.type === 'array') return 'list of `{pattern, limit}`';
  if (part.type === 'object') return part.additionalProperties ? 'by name' : 'keys below';
  if (part.type === 'string') return 'text';
  const whole = part.type === 'integer' ? 'whole, ' : '';
  return part.maximum === undefined
    ? `${whole}from ${part.minimum}`
    : `${whole}${part.minimum} to ${part.maximum}`;
}

function byDefault({ default: value }) {
  if (value === undefined) return '';
  return typeof value === 'object' ? 'none' : `\`${value}\``;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const check = process.argv.includes('--check');
  for (const [file, text] of Object.entries(await generatedDocs())) {
    if (readFileSync(join(root, file), 'utf8') === text) continue;
    if (!check) writeFileSync(join(root, file), text);
    console.log(check ? `${file} is out of date: run node scripts/docs.mjs` : `wrote ${file}`);
    if (check) process.exitCode = 1;
  }
}
