/** The addresses of members as they are configured: IPv4, IPv6 or host names. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { findHostProblem, formatAddress, FreshetError, messageOf, plainHost } from './base/mod.ts';

export interface ConfiguredMember {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

/**
 * Members with hosts as they are dialled, IPv6 without brackets. Throws INVALID_CONFIG for a host
 * that is none, and for an address that two members have.
 */
export function plainMembers<Member extends ConfiguredMember>(
  members: readonly Member[],
): readonly Member[] {
  const owners = new Map<string, ConfiguredMember>();
  return members.map((member, nth) => {
    const { id, host, port } = member;
    const problem = findHostProblem(host);
    if (problem !== null) {
      const { what, mend } = problem;
      throw addressError(`members[${String(nth)}].host ${JSON.stringify(host)} ${what}`, mend);
    }
    const address = formatAddress(host.toLowerCase(), port);
    const owner = owners.get(address);
    // One and the same id twice is told by the layout.
    if (owner !== undefined && owner.id !== id) {
      throw addressError(
        `members ${String(owner.id)} and ${String(id)} have the same address ${address}`,
        `Give member ${String(id)} another port, or its own host`,
      );
    }
    owners.set(address, member);
    return { ...member, host: plainHost(host) };
  });
}

/** Looks a host name up. Rejects when it has no address now. */
export type LookUp = (host: string) => Promise<string>;

/** By what this machine knows of names: files, name servers. */
export const systemLookUp: LookUp = async (host) => (await lookup(host)).address;

/** The address to listen at; a name is looked up. Rejects INVALID_CONFIG when it has none. */
export async function listenAddress(host: string, lookUp: LookUp): Promise<string> {
  if (isIP(host.split('%', 1)[0] ?? '') !== 0) {
    return host;
  }
  try {
    return await lookUp(host);
  } catch (cause) {
    const why = `The name '${host}' of this member has no address: ${messageOf(cause)}`;
    throw new FreshetError('INVALID_CONFIG', why, {
      mend: 'Correct the host in members, or make the name known on this machine',
      details: { host },
      cause,
    });
  }
}

function addressError(message: string, mend: string): FreshetError {
  return new FreshetError('INVALID_CONFIG', message, { mend });
}
