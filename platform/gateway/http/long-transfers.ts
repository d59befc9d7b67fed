import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { checkSize, limits } from '../../base/mod.ts';
import type { Door, GetRequest, ObjectRecord } from '../../client/mod.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import { LongBodies } from '../long-bodies.ts';
import { getAdmitted } from '../long-gets.ts';
import { entityTag, isOther, isUnchanged } from './entity-tag.ts';
import { endIdleConnection } from './error-replies.ts';
import { declaredSize } from './raw-bodies.ts';

/**
 * Long values on their way through the HTTP door, bounded in bytes both ways. However long one
 * takes, it may go on as long as it moves: a client that stands still is let go.
 */
export class LongTransfers {
  readonly #door: Door;
  readonly #idleMs: number;
  readonly #in: LongBodies;
  readonly #out: LongBodies;
  /** The newest long body of each connection. */
  readonly #received = new WeakMap<Socket, IncomingMessage>();

  /** `mostBytes`: each way. */
  constructor(door: Door, idleMs: number, mostBytes?: number) {
    this.#door = door;
    this.#idleMs = idleMs;
    this.#in = new LongBodies('in', mostBytes);
    this.#out = new LongBodies('out', mostBytes);
  }

  /** Before a body is received: one that is not taken is refused then. `keyOf`: whose value. */
  async admit(request: FastifyRequest, reply: FastifyReply, keyOf: () => string): Promise<void> {
    const size = declaredSize(request) ?? 0;
    if (size <= limits.valueBytesWhole || size > gatewayLimits.putBodyBytes) return;
    const key = keyOf();
    const pool = (await this.#door.pools()).find(({ name }) => key.startsWith(`${name}/`));
    if (pool !== undefined) checkSize(key, size, pool);
    this.#in.take(size);
    onceAnswered(request, reply, () => {
      this.#in.giveBack(size);
    });
    this.#watchBody(request, reply);
  }

  /** A long body is coming, for which the time limit of requests does not hold. */
  isReceiving(socket: Socket): boolean {
    return this.#received.get(socket)?.complete === false;
  }

  /** As `Door.get`; a long value comes only if it is sent. */
  async get(
    request: FastifyRequest,
    reply: FastifyReply,
    wanted: GetRequest,
  ): Promise<ObjectRecord | null> {
    const isWanted = (head: ObjectRecord): boolean => {
      const tag = entityTag(head);
      const { 'if-match': match, 'if-none-match': noneMatch } = request.headers;
      return !isOther(match, tag) && !isUnchanged(noneMatch, tag);
    };
    const options = { wanted: isWanted, signalOf: () => signalUntilAnswered(request, reply) };
    const { object, roomBytes } = await getAdmitted(this.#door, wanted, this.#out, options);
    if (roomBytes > 0) {
      onceAnswered(request, reply, () => {
        this.#out.giveBack(roomBytes);
      });
      this.#watchReply(request, reply);
    }
    return object;
  }

  #watchBody({ raw }: FastifyRequest, reply: FastifyReply): void {
    const { socket } = raw;
    this.#received.set(socket, raw);
    raw.setTimeout(this.#idleMs, () => {
      // Where another reply is on its way, an answer would be taken for that one.
      if (reply.raw.socket === null) socket.destroy();
      else endIdleConnection(socket, this.#idleMs);
    });
    raw.once('end', () => {
      socket.setTimeout(0);
    });
  }

  /** Node ends the connection of an answer that is not read, after once or twice as long. */
  #watchReply({ raw: { socket } }: FastifyRequest, reply: FastifyReply): void {
    reply.raw.setTimeout(this.#idleMs);
    // Before node sets how long it waits for the next request.
    reply.raw.prependOnceListener('finish', () => {
      socket.setTimeout(0);
    });
  }
}

function signalUntilAnswered(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const answered = new AbortController();
  onceAnswered(request, reply, () => {
    answered.abort();
  });
  return answered.signal;
}

/** Once the reply has been sent, or cannot be. */
function onceAnswered(
  { raw: { socket } }: FastifyRequest,
  reply: FastifyReply,
  run: () => void,
): void {
  if (socket.destroyed) {
    run();
    return;
  }
  // A reply that waits behind another one has no connection yet that it could see end; one that
  // has is told while the connection tells, which then tells us too.
  let isAnswered = false;
  const answered = (): void => {
    if (isAnswered) return;
    isAnswered = true;
    run();
    reply.raw.off('close', answered);
    socket.off('close', answered);
  };
  reply.raw.once('close', answered);
  socket.once('close', answered);
}
