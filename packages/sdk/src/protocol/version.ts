/** The versions of the session protocol that this package speaks, best first. */
export const PROTOCOL_VERSIONS = [1] as const;

/** What a client offers in `Upgrade` and hostd answers with one of: `prewake/1`. */
export const UPGRADE_OFFER = PROTOCOL_VERSIONS.map((version) => `prewake/${version}`).join(', ');

/** Names of the upgrade's headers, in lower case as node:http delivers them. */
export const HEADER = {
  /** Client → hostd: name and version of the client, `@prewake/sdk/0.1.0`. For people; nothing is decided by it. */
  client: 'prewake-client',
  /** hostd → client: hostd's package version. */
  hostd: 'prewake-hostd',
  /** hostd → client: the session's id. */
  session: 'prewake-session',
} as const;

/** The path that is upgraded. */
export const SESSION_PATH = '/v1/session';

/**
 * The best version that both ends know, from an `Upgrade` header, which may be a list (`prewake/2, prewake/1`).
 * `undefined`: none; hostd answers 426 with its own {@link UPGRADE_OFFER}, and the client says so once.
 */
export function negotiateVersion(upgrade: string | undefined): number | undefined {
  if (!upgrade) return undefined;
  const offered = upgrade.split(',').map((token) => token.trim().toLowerCase());
  return PROTOCOL_VERSIONS.find((version) => offered.includes(`prewake/${version}`));
}
