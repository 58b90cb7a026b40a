import { PrewakeError } from '@prewake/sdk/protocol';
import { groupId } from '../kernel/groups.ts';
import type { Peer } from '../kernel/peer.ts';

/** Who may see and do what. Root, hostd's own user and the admin group see and do all; others see their own. */
export class Access {
  readonly #adminGroup: () => string;

  /** @param adminGroup as the configuration has it now */
  constructor(adminGroup: () => string) {
    this.#adminGroup = adminGroup;
  }

  isAdmin(peer: Peer): boolean {
    if (peer.uid === 0 || peer.uid === process.getuid?.()) return true;
    const gid = groupId(this.#adminGroup());
    return gid !== undefined && (peer.gid === gid || peer.groups.includes(gid));
  }

  /** The uid to whose sessions, classes and events the peer is limited; undefined: none. */
  limitOf(peer: Peer): number | undefined {
    return this.isAdmin(peer) ? undefined : peer.uid;
  }

  /** @throws PrewakeError PREWAKE_FORBIDDEN */
  demandAdmin(peer: Peer): void {
    if (!this.isAdmin(peer))
      throw new PrewakeError('PREWAKE_FORBIDDEN', `this needs root or the group ${this.#adminGroup()}`);
  }
}
