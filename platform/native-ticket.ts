/**
 * Tickets for the native doors of a cluster: issued by any member to whoever it lets in over gRPC,
 * taken by every member's native threads, which know the cluster's secret too. Little endian:
 *
 *   0 u16 format | 2 u16 rights | 4 u32 0 | 8 f64 expires, µs | 16 16 bytes id | 32 32 bytes mac
 *
 * The mac is HMAC-SHA256 of `freshet ticket` and what is before it, under the secret; the key that
 * goes with the ticket, and is never shown, that of `freshet ticket key` and the whole ticket.
 */
import { createHmac } from 'node:crypto';
import type { Clock, NativeTicket, Random } from './base/mod.ts';
import type { ClusterIdentity } from './cluster-identity.ts';

const format = 1;
/** As bits. */
const ticketRights = { read: 1, change: 2 } as const;
const size = 64;
const idAt = 16;
const macAt = 32;
const lifeUs = 3_600_000_000;

export interface TicketOptions {
  readonly identity: ClusterIdentity;
  readonly clock: Clock;
  readonly random: Random;
}

/** For all rights, and an hour. */
export function issueTicket({ identity, clock, random }: TicketOptions): NativeTicket {
  const expires = clock.wallUs() + lifeUs;
  const ticket = Buffer.alloc(size);
  ticket.writeUInt16LE(format, 0);
  ticket.writeUInt16LE(ticketRights.read | ticketRights.change, 2);
  ticket.writeDoubleLE(expires, 8);
  for (let at = idAt; at < macAt; at += 4) ticket.writeUInt32LE(random.u32(), at);
  ticket.set(hmac(identity.secret, 'freshet ticket', ticket.subarray(0, macAt)), macAt);
  const key = hmac(identity.secret, 'freshet ticket key', ticket);
  return { ticket, key, expires, clusterId: identity.id };
}

function hmac(secret: Uint8Array, text: string, bytes: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(text, 'ascii').update(bytes).digest();
}
