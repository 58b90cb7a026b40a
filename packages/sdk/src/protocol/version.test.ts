import { expect, it } from 'vitest';
import { negotiateVersion, PROTOCOL_VERSIONS, UPGRADE_OFFER } from './version.ts';

it('both ends of this version agree', () => {
  expect(negotiateVersion(UPGRADE_OFFER)).toBe(PROTOCOL_VERSIONS[0]);
});

it.each([
  ['prewake/1', 1],
  ['PREWAKE/1', 1],
  ['prewake/9, prewake/1', 1],
  ['websocket,prewake/1', 1],
  ['prewake/2', undefined],
  ['prewake/10', undefined],
  ['websocket', undefined],
  ['', undefined],
  [undefined, undefined],
])('%j gives %j', (header, version) => expect(negotiateVersion(header)).toBe(version));
