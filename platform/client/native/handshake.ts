/**
 * How a client and a member's native threads make sure of each other: each proves, over fresh random
 * bytes of both, that it knows the key of the ticket, which is never sent.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { NativeTicket, Random } from '../../base/mod.ts';

const nonceSize = 32;

export class Handshake {
  readonly nonce: Buffer = Buffer.alloc(nonceSize);
  readonly #ticket: NativeTicket;
  readonly #nodeId: number;

  constructor(ticket: NativeTicket, nodeId: number, random: Random) {
    this.#ticket = ticket;
    this.#nodeId = nodeId;
    for (let at = 0; at < nonceSize; at += 4) this.nonce.writeUInt32LE(random.u32(), at);
  }

  /** What this side proves itself with; null: the other side did not. */
  answer(memberNonce: Uint8Array, memberProof: Uint8Array): Buffer | null {
    const expected = this.#prove('member', memberNonce);
    const isProven =
      memberProof.byteLength === expected.byteLength && timingSafeEqual(expected, memberProof);
    return isProven ? this.#prove('client', memberNonce) : null;
  }

  #prove(who: 'member' | 'client', memberNonce: Uint8Array): Buffer {
    const node = Buffer.alloc(4);
    node.writeUInt32LE(this.#nodeId);
    const hmac = createHmac('sha256', this.#ticket.key).update(who, 'ascii');
    return hmac.update(this.nonce).update(memberNonce).update(node).digest();
  }
}
