// One step of the set-up: its output goes to a log, a line tells that it runs once it takes over two seconds,
// and one line tells why it failed. All of it on stderr, so that stdout stays the task's own.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, relative } from 'node:path';
import { cacheDir, root } from './root.mjs';

export class SetupError extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function say(line) {
  process.stderr.write(`set-up: ${line}\n`);
}

export function fail(error) {
  say(error.message);
  process.exitCode = error.exitCode;
}

/** Runs a command to its end, quietly; throws a SetupError that says why it failed. */
export async function step(title, command, args, options = {}) {
  const logDir = join(cacheDir, 'setup');
  mkdirSync(logDir, { recursive: true });
  const log = join(logDir, `${title.replace(/\W+/g, '-').slice(0, 40)}.log`);
  const fd = openSync(log, 'w');
  const since = Date.now();
  const seconds = () => Math.round((Date.now() - since) / 1000);
  let shown = 0;
  const ticker = setInterval(() => {
    if (seconds() < 2 || (shown > 0 && seconds() - shown < 15)) return;
    shown = Math.max(1, seconds());
    say(`${title} … ${seconds()} s`);
  }, 500);
  try {
    const { code, error } = await exit(
      spawn(command, args, { cwd: root, ...options, stdio: ['ignore', fd, fd] }),
    );
    if (error) throw new SetupError(`${title} failed: ${command}: ${error.message}`);
    if (code !== 0)
      throw new SetupError(
        `${title} failed (exit ${code}): ${lastWords(log)} (all of it: ${relative(root, log)})`,
      );
  } finally {
    clearInterval(ticker);
    closeSync(fd);
  }
  if (shown) say(`${title}: done in ${seconds()} s`);
}

/** How a child ended: as a shell counts it, 128 + n for signal n. Signals to us are passed on. */
export function exit(child) {
  const forward = (signal) => child.kill(signal);
  // From a terminal Ctrl-C reaches the child by itself; it decides how to end.
  const onInterrupt = process.stdin.isTTY ? () => {} : forward;
  process.on('SIGINT', onInterrupt);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, forward);
  return new Promise((resolve) => {
    const done = (result) => {
      process.off('SIGINT', onInterrupt);
      for (const signal of ['SIGTERM', 'SIGHUP']) process.off(signal, forward);
      resolve(result);
    };
    child.on('error', (error) => done({ code: 127, error }));
    child.on('close', (code, signal) => done({ code: code ?? 128 + constants.signals[signal] }));
  });
}

/** What a failed tool said of the cause: its first lines that look like it, else its last one. */
function lastWords(log) {
  const lines = readFileSync(log, 'utf8')
    .split('\n')
    .map((line) => line.replace(/^npm (error|ERR!)/, 'error').trim())
    .filter(Boolean);
  const causes = lines.filter((line) => /\berr(or)?\b|ERR_|^E:|^╰─▶/i.test(line));
  return causes.length > 0 ? causes.slice(0, 3).join('; ') : (lines.at(-1) ?? 'no output');
}
