import type { GuardId, Target } from './guard.ts';
import { parseTarget, targetKey } from './target.ts';

/**
 * The journal is lines of JSON, appended and never changed:
 *
 *     ["prewake",1,"<boot id>",<pid>,"<start time of pid>"]
 *     ["intent","idle.cpu","cpu:1","0","n/a"]     about to write n/a where 0 was found
 *     ["read","idle.cpu","cpu:1","n/a"]           what it read right after
 *     ["done","idle.cpu","cpu:1"]                 put back, or given up: no longer ours
 *
 * It holds what must be put back if its writer dies. It needs no fsync: it guards against the death of a
 * process, and what it guards does not survive the death of the machine.
 */
export interface Owner {
  bootId: string;
  pid: number;
  startTime: string;
}

/** What the journal says of one control that has not been put back. */
export interface Claim {
  guard: GuardId;
  target: Target;
  /** The value found before the first write. */
  original: string;
  /** Every value that a write of ours may have left there, oldest first, with the read-back where there was one. */
  writes: { value: string; readBack: string | undefined }[];
}

export interface JournalContent {
  owner: Owner | undefined;
  claims: Map<string, Claim>;
}

const VERSION = 1;

export function headerLine(owner: Owner): string {
  return `${JSON.stringify(['prewake', VERSION, owner.bootId, owner.pid, owner.startTime])}\n`;
}

export function intentLine(guard: GuardId, target: Target, original: string, value: string): string {
  return `${JSON.stringify(['intent', guard, targetKey(target), original, value])}\n`;
}

export function readLine(guard: GuardId, target: Target, value: string): string {
  return `${JSON.stringify(['read', guard, targetKey(target), value])}\n`;
}

export function doneLine(guard: GuardId, target: Target): string {
  return `${JSON.stringify(['done', guard, targetKey(target)])}\n`;
}

export function claimKey(guard: GuardId, target: Target): string {
  return `${guard} ${targetKey(target)}`;
}

/** Reads a journal. A line that was cut short by its writer's death, or that nobody of us wrote, is left out. */
export function parseJournal(text: string): JournalContent {
  const content: JournalContent = { owner: undefined, claims: new Map() };
  for (const line of text.split('\n')) {
    const fields = parseLine(line);
    if (!fields) continue;
    const [word, ...rest] = fields;
    if (word === 'prewake') {
      const [version, bootId, pid, startTime] = rest;
      if (version === VERSION) {
        content.owner = { bootId: String(bootId), pid: Number(pid), startTime: String(startTime) };
      }
    } else {
      applyLine(content.claims, String(word), rest.map(String));
    }
  }
  return content;
}

function applyLine(claims: Map<string, Claim>, word: string, fields: string[]): void {
  const [guard, targetText, ...values] = fields as [GuardId, string, ...string[]];
  const target = targetText === undefined ? undefined : parseTarget(targetText);
  if (!target) return;
  const key = claimKey(guard, target);
  const claim = claims.get(key);
  if (word === 'intent' && values.length === 2) {
    const write = { value: values[1] as string, readBack: undefined };
    if (claim) claim.writes.push(write);
    else claims.set(key, { guard, target, original: values[0] as string, writes: [write] });
  } else if (word === 'read' && values.length === 1 && claim) {
    // The write has happened: what earlier writes left there is gone.
    claim.writes = [{ value: claim.writes.at(-1)?.value as string, readBack: values[0] }];
  } else if (word === 'done') {
    claims.delete(key);
  }
}

/** All that we write are words and numbers; an object could not even be made one. */
function parseLine(line: string): (string | number)[] | undefined {
  try {
    const fields: unknown = JSON.parse(line);
    const isField = (field: unknown) => typeof field === 'string' || typeof field === 'number';
    return Array.isArray(fields) && fields.every(isField) ? fields : undefined;
  } catch {
    return undefined;
  }
}
