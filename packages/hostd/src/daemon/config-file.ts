import { readFileSync } from 'node:fs';
import { PrewakeError } from '@prewake/sdk/protocol';
import type { BucketLimit } from '../policy/config.ts';
import type { HostdConfig } from './config.ts';
import type { Partially } from './config-overlay.ts';
import { findFlaw } from './config-schema.ts';

type Limits = Partially<HostdConfig['budget']>;

/** What a configuration file may say, as the schema has it. */
export type RawConfig = Omit<Partially<HostdConfig>, 'file' | 'guards' | 'budget' | 'metrics'> & {
  guards?: Omit<Partially<HostdConfig['guards']>, 'cpus' | 'placement'> & {
    cpus?: string | number;
    placement?: 'on' | 'off';
  };
  budget?: Omit<Limits, 'users' | 'cgroups'> & {
    users?: Record<string, Partial<BucketLimit>>;
    cgroups?: { pattern: string; limit: Partial<BucketLimit> }[];
  };
  metrics?: { listen?: string };
};

/**
 * Reads and checks a YAML file.
 *
 * @throws PrewakeError `PREWAKE_CONFIG` with one line: file, line, key, what is wrong, what is allowed.
 */
export async function readConfigFile(file: string): Promise<RawConfig> {
  // Not needed, and not loaded, by a hostd without a file.
  const { isMap, LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const where = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  const syntax = document.errors[0];
  if (syntax)
    throw new PrewakeError('PREWAKE_CONFIG', `${where(syntax.pos[0])}: not valid YAML: ${syntax.message}`);

  const raw = withoutEmptySections(toObject(document, file));
  const flaw = await findFlaw(raw);
  if (!flaw) return raw as RawConfig;
  // The nearest node that stands in the file: a missing key is shown at its parent.
  for (let path = flaw.path; ; path = path.slice(0, -1)) {
    const parent = document.getIn(path.slice(0, -1), true);
    const pair = isMap(parent)
      ? parent.items.find((item) => String(item.key) === String(path.at(-1)))
      : undefined;
    const node = (pair?.key ?? document.getIn(path, true)) as
      | { range?: [number, number, number] }
      | undefined;
    if (node?.range || path.length === 0)
      throw new PrewakeError('PREWAKE_CONFIG', `${where(node?.range?.[0] ?? 0)}: ${flaw.message}`);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new PrewakeError('PREWAKE_CONFIG', `${file}: cannot be read (${reason})`, { cause });
  }
}

function toObject(document: { toJS(): unknown }, file: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (cause) {
    // An alias without its anchor, or a bomb of aliases.
    throw new PrewakeError('PREWAKE_CONFIG', `${file}: not valid YAML: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** A section whose keys are all commented out reads as null: it says nothing. */
function withoutEmptySections(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, section]) => section !== null));
}
