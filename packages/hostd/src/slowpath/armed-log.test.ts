import { describe, expect, it } from 'vitest';
import { ArmedLog } from './armed-log.ts';

describe('ArmedLog', () => {
  it('tells after the fact whether a CPU was armed, from the write on and up to the release', () => {
    const log = new ArmedLog();
    log.armed('idle.cpu', 1, 100);
    log.released('idle.cpu', 1, 200);
    log.armed('idle.cpu', 1, 300);
    const covered = [99, 100, 199, 200, 299, 300, 1e12].map((at) => log.isCovered(1, at));
    expect(covered).toEqual([false, true, true, false, false, true, true]);
    expect(log.isCovered(0, 150)).toBe(false);
  });

  it('takes a stricter value for the same span, and knows guards that cover every CPU', () => {
    const log = new ArmedLog();
    log.armed('idle.cpu', 1, 100);
    log.armed('idle.cpu', 1, 150);
    log.released('idle.cpu', 1, 200);
    expect(log.isCovered(1, 250)).toBe(false);
    log.armed('idle.global', -1, 240);
    expect(log.isCovered(1, 250)).toBe(true);
    expect(log.isCovered(7, 250)).toBe(true);
  });

  it('forgets what is older than records can be', () => {
    const log = new ArmedLog(1000);
    for (let at = 0; at < 100_000; at += 100) {
      log.armed('idle.cpu', 0, at);
      log.released('idle.cpu', 0, at + 10);
    }
    expect(log.isCovered(0, 5)).toBe(false);
    expect(log.isCovered(0, 99_905)).toBe(true);
  });
});
