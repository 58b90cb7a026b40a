import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PressureWait } from './pressure.ts';

/** The numbers of this process's eventfds. */
function eventfds(): number[] {
  const numbers = readdirSync('/proc/self/fd').map(Number);
  return numbers.filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventfd]';
    } catch {
      return false; // The directory's own.
    }
  });
}

it('writes to nobody once its worker has ended by itself', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'prewake-pressure-'));
  const before = eventfds();
  const wait = new PressureWait(
    -1,
    () => {},
    () => {},
  );
  const own = eventfds().filter((fd) => !before.includes(fd));
  expect(own.length).toBeGreaterThan(0);
  try {
    // There is no such ring: its worker ends.
    await expect.poll(() => eventfds().filter((fd) => own.includes(fd))).toEqual([]);
    // Somebody else's now.
    const files = own.map((_, i) => join(dir, String(i)));
    const opened = files.map((file) => openSync(file, 'w'));
    wait.close();
    for (const file of files) expect(readFileSync(file, 'utf8')).toBe('');
    opened.forEach(closeSync);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
