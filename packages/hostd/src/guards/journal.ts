import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { monotonicMicros, PrewakeError } from '@prewake/sdk/protocol';
import { errorCode } from '../kernel/libc.ts';
import type { KernelWriter } from '../kernel/writer.ts';
import type { GuardId, Target } from './guard.ts';
import {
  type Claim,
  claimKey,
  doneLine,
  headerLine,
  intentLine,
  type JournalContent,
  type Owner,
  parseJournal,
  readLine,
} from './journal-format.ts';

const JOURNAL = 'guards.journal';
const VOIDS = 'guards.voids';

/** A journal longer than this is written anew with what is still open, bytes. */
const COMPACT_AT = 256 * 1024;

/**
 * What is on disk; an empty content where there is no journal.
 *
 * @throws PrewakeError PREWAKE_JOURNAL_UNTRUSTED where another user wrote it: it says what is written to which control.
 *   PREWAKE_JOURNAL_UNREADABLE where something else is in its place: what it would have restored is not known. Node's
 *   own errors where it cannot be read.
 */
export function loadJournal(dir: string): JournalContent {
  const path = join(dir, JOURNAL);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return parseJournal('');
    throw error;
  }
  try {
    const { uid } = fstatSync(fd);
    if (uid !== process.geteuid?.()) throw untrusted(`${path} is user ${uid}'s`);
    const text = readFileSync(fd, 'utf8');
    const content = parseJournal(text);
    // It is written whole and then put in its place: it never lacks its first line.
    if (!content.owner && text !== '') {
      const message = `${path} is no guard journal of this version: remove it once all controls are as they should be`;
      throw new PrewakeError('PREWAKE_JOURNAL_UNREADABLE', message);
    }
    return content;
  } finally {
    closeSync(fd);
  }
}

/**
 * For whoever begins to work with a journal. One that is at work goes on: its controls are still to be put back.
 * @throws PrewakeError PREWAKE_JOURNAL_UNTRUSTED where others may write into an existing directory
 */
export function demandPrivate(dir: string): void {
  const stats = statSync(dir, { throwIfNoEntry: false });
  if (!stats) return;
  const { uid, mode } = stats;
  if (mode & 0o022) throw untrusted(`others than its owner may write into ${dir}`);
  if (uid !== 0 && uid !== process.geteuid?.()) throw untrusted(`${dir} is user ${uid}'s`);
}

function untrusted(why: string): PrewakeError {
  return new PrewakeError('PREWAKE_JOURNAL_UNTRUSTED', `the guard journal cannot be trusted: ${why}`);
}

/** Says to the journal's writer that its leases are void. A full file system has room for a time. */
export function markVoid(dir: string): void {
  const now = monotonicMicros() / 1e6;
  utimesSync(join(dir, VOIDS), now, now);
}

/**
 * Restores behind the back of the journal's writer, which may go on at any moment, also in between: it is told before
 * and after. Where it cannot be told, this throws why not, but not before it has restored.
 */
export function restoreBehind<T>(dir: string, restore: () => T): T {
  try {
    markVoid(dir);
  } catch {
    // Thrown below.
  }
  const result = restore();
  markVoid(dir);
  return result;
}

/** hostd's own end of the journal. Everyone else only reads it, and restores by {@link restoreBehind}. */
export class Journal {
  readonly #dir: string;
  readonly #writer: KernelWriter;
  readonly #header: string;
  readonly #open = new Map<string, Claim>();
  readonly #voids: number;
  #fd: number;
  /** Bytes. */
  #size = 0;
  /** Whether what is on disk may claim more than is open: it is written anew before the next intent. */
  #stale = false;
  #voidsSeen: number;

  /** Starts a new journal over an old one, which must have been replayed; `left` is what is still to be put back. */
  constructor(dir: string, owner: Owner, writer: KernelWriter, left: readonly Claim[] = []) {
    for (const claim of left) this.#open.set(claimKey(claim.guard, claim.target), claim);
    this.#dir = dir;
    this.#writer = writer;
    this.#header = headerLine(owner);
    try {
      mkdirSync(dir, { recursive: true, mode: 0o755 });
      this.#voids = openSync(join(dir, VOIDS), 'a', 0o600);
      this.#voidsSeen = fstatSync(this.#voids).mtimeMs;
      this.#fd = this.#rewrite();
    } catch (cause) {
      throw new PrewakeError('PREWAKE_JOURNAL_UNWRITABLE', `the guard journal in ${dir} cannot be written`, {
        cause,
      });
    }
  }

  intent(guard: GuardId, target: Target, original: string, value: string): void {
    // Else a claim that was done would come before this one, with an original of its own.
    if (this.#stale) this.compact();
    this.#append(intentLine(guard, target, original, value));
    const key = claimKey(guard, target);
    const claim = this.#open.get(key);
    const write = { value, readBack: undefined };
    if (claim) claim.writes.push(write);
    else this.#open.set(key, { guard, target, original, writes: [write] });
  }

  readBack(guard: GuardId, target: Target, value: string): void {
    this.#append(readLine(guard, target, value));
    const claim = this.#open.get(claimKey(guard, target));
    if (claim) claim.writes = [{ value: claim.writes.at(-1)?.value ?? value, readBack: value }];
  }

  done(guard: GuardId, target: Target): void {
    this.#open.delete(claimKey(guard, target));
    try {
      this.#append(doneLine(guard, target));
      if (this.#size > COMPACT_AT) this.compact();
    } catch (error) {
      this.#stale = true;
      throw error;
    }
  }

  /** Whether someone has restored behind our back since the last call. One fstat. */
  voided(): boolean {
    const { mtimeMs } = fstatSync(this.#voids);
    if (mtimeMs === this.#voidsSeen) return false;
    this.#voidsSeen = mtimeMs;
    return true;
  }

  /** Writes the journal anew, with open claims only. Where that fails, the old one stays in use. */
  compact(): void {
    const old = this.#fd;
    this.#fd = this.#rewrite();
    this.#stale = false;
    closeSync(old);
  }

  #rewrite(): number {
    const path = join(this.#dir, JOURNAL);
    let text = this.#header;
    for (const { guard, target, original, writes } of this.#open.values()) {
      for (const { value, readBack } of writes) {
        text += intentLine(guard, target, original, value);
        if (readBack !== undefined) text += readLine(guard, target, readBack);
      }
    }
    const fd = openSync(`${path}.new`, 'a', 0o600);
    let size = 0;
    try {
      this.#writer.run('journal', JOURNAL, text, () => {
        ftruncateSync(fd, 0);
        size = writeWhole(fd, text);
        renameSync(`${path}.new`, path);
      });
    } catch (error) {
      closeSync(fd);
      rmSync(`${path}.new`, { force: true });
      throw error;
    }
    this.#size = size;
    return fd;
  }

  #append(line: string): void {
    this.#writer.run('journal', JOURNAL, line, () => {
      try {
        this.#size += writeWhole(this.#fd, line);
      } catch (error) {
        // The next line must not be glued to half of this one.
        ftruncateSync(this.#fd, this.#size);
        throw error;
      }
    });
  }

  close(): void {
    closeSync(this.#fd);
    closeSync(this.#voids);
  }
}

/** Bytes written. A short write (a full file system) must not be mistaken for a line on record. */
function writeWhole(fd: number, text: string): number {
  const bytes = Buffer.from(text);
  if (writeSync(fd, bytes) !== bytes.length) {
    throw new PrewakeError('PREWAKE_JOURNAL_UNWRITABLE', 'the file system of the guard journal is full');
  }
  return bytes.length;
}
