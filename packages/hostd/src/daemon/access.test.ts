import { expect, it } from 'vitest';
import { Access } from './access.ts';

it('asks for the group that the configuration names now', () => {
  let group = 'nogroup';
  const access = new Access(() => group);
  const peer = { pid: 1, uid: 65534, gid: 65534, groups: [], startTime: '0' };
  expect(access.isAdmin(peer)).toBe(true);
  group = 'no-such-group';
  expect(access.isAdmin(peer)).toBe(false);
  expect(() => access.demandAdmin(peer)).toThrow('no-such-group');
  expect(access.isAdmin({ ...peer, uid: 0 })).toBe(true);
});
