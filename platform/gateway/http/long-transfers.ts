import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { checkSize, FreshetError, limits } from '../../base/mod.ts';
import type { Door, GetRequest, ObjectRecord } from '../../client/mod.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import { LongBodies } from '../long-bodies.ts';
import { getAdmitted } from '../long-gets.ts';
import { Movement } from '../movement.ts';
import { entityTag, isOther, isUnchanged } from './entity-tag.ts';
import { endWith } from './error-replies.ts';
import { declaredSize } from './raw-bodies.ts';
import type { ConnectionLimits } from './server.ts';

/** A long body that is received, or what was made of it is awaited. */
interface Received {
  readonly movement: Movement;
  /** Its room is given back once. */
  readonly leave: () => void;
}

/**
 * Long values on their way through the HTTP door, bounded in bytes both ways. However long one
 * takes, it may go on as long as it moves: a client that is too slow is let go.
 */
export class LongTransfers {
  readonly #door: Door;
  readonly #idleMs: number;
  readonly #answerMs: number;
  readonly #in: LongBodies;
  readonly #out: LongBodies;
  readonly #received = new WeakMap<IncomingMessage, Received>();
  /** The newest long body of each connection. */
  readonly #newest = new WeakMap<Socket, IncomingMessage>();
  /** Answers that have room for a long value. */
  readonly #roomy = new WeakSet<FastifyReply>();

  /** `mostBytes`: each way. */
  constructor(door: Door, { idleMs, requestMs }: ConnectionLimits, mostBytes?: number) {
    this.#door = door;
    this.#idleMs = idleMs;
    this.#answerMs = requestMs;
    this.#in = new LongBodies('in', mostBytes);
    this.#out = new LongBodies('out', mostBytes);
  }

  /** Answers hold nothing of a long body, and connections no answer that nobody reads. */
  watchAnswers(app: FastifyInstance): void {
    app.addHook('onSend', (request, reply, payload, done) => {
      const received = this.#received.get(request.raw);
      if (received !== undefined) {
        request.body = null;
        received.leave();
      }
      if (!(payload instanceof Readable)) this.#watchAnswer(request, reply);
      done(null, payload);
    });
  }

  /** A long body is said to come, and no longer one than any. */
  isLong(request: FastifyRequest): boolean {
    const size = declaredSize(request) ?? 0;
    return size > limits.valueBytesWhole && size <= gatewayLimits.putBodyBytes;
  }

  /** Before a long body is received: one that is not taken is refused then. `keyOf`: whose value. */
  async admit(request: FastifyRequest, reply: FastifyReply, keyOf: () => string): Promise<void> {
    const size = declaredSize(request) ?? 0;
    const key = keyOf();
    const pool = (await this.#door.pools()).find(({ name }) => key.startsWith(`${name}/`));
    if (pool !== undefined) checkSize(key, size, pool);
    this.#in.take(size);
    const movement = this.#watchBody(request, reply);
    let isHere = true;
    const leave = (): void => {
      if (!isHere) return;
      isHere = false;
      movement.end();
      this.#in.giveBack(size);
    };
    this.#received.set(request.raw, { movement, leave });
    onceAnswered(request, reply, leave);
  }

  /** So much of a body came. */
  came({ raw }: FastifyRequest, bytes: number): void {
    this.#received.get(raw)?.movement.moved(bytes);
  }

  /** A long body is coming, for which the time limit of requests does not hold. */
  isReceiving(socket: Socket): boolean {
    return this.#newest.get(socket)?.complete === false;
  }

  /** As `Door.get`; a long value comes only if it is sent, which `send` does then. */
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
    const { object, roomBytes } = await getAdmitted(this.#door, wanted, this.#out, {
      wanted: isWanted,
      whenTurn: () => whenTurn(request, reply),
      signalOf: () => signalUntilAnswered(request, reply),
    });
    if (roomBytes > 0) {
      this.#roomy.add(reply);
      onceAnswered(request, reply, () => {
        this.#out.giveBack(roomBytes);
      });
    }
    return object;
  }

  /** A value, or the range of it that is asked for. */
  send(request: FastifyRequest, reply: FastifyReply, body: Buffer): FastifyReply {
    if (!this.#roomy.has(reply)) return reply.send(body);
    const movement = new Movement(this.#idleMs, () => request.raw.socket.destroy());
    onceAnswered(request, reply, () => {
      movement.end();
    });
    const pieces = Readable.from(piecesOf(body, movement), { objectMode: false });
    return reply.header('content-length', body.byteLength).send(pieces);
  }

  #watchBody({ raw }: FastifyRequest, reply: FastifyReply): Movement {
    const { socket } = raw;
    this.#newest.set(socket, raw);
    const movement = new Movement(this.#idleMs, (error) => {
      // Where another reply is on its way, an answer would be taken for that one.
      if (reply.raw.socket === null) socket.destroy();
      else endWith(error, socket);
    });
    raw.once('end', () => {
      movement.end();
    });
    return movement;
  }

  /** Node ends the connection of an answer that is not read, after once or twice as long. */
  #watchAnswer({ raw: { socket } }: FastifyRequest, reply: FastifyReply): void {
    reply.raw.setTimeout(this.#answerMs);
    // Before node sets how long it waits for the next request.
    reply.raw.prependOnceListener('finish', () => {
      socket.setTimeout(0);
    });
  }
}

/** One more is asked for when one has gone. */
function* piecesOf(body: Buffer, movement: Movement): Generator<Buffer> {
  for (let from = 0; from < body.byteLength; from += gatewayLimits.pieceBytes) {
    const piece = body.subarray(from, from + gatewayLimits.pieceBytes);
    yield piece;
    movement.moved(piece.byteLength);
  }
}

/** Resolves once all earlier answers have gone. Rejects CANCELLED: nobody is there. */
function whenTurn({ raw: { socket } }: FastifyRequest, reply: FastifyReply): Promise<void> {
  return new Promise((resolve, reject) => {
    const isGone = (): void => {
      reject(new FreshetError('CANCELLED', 'The connection has ended'));
    };
    if (reply.raw.socket !== null) resolve();
    else if (socket.destroyed) isGone();
    else {
      socket.once('close', isGone);
      reply.raw.once('socket', () => {
        socket.off('close', isGone);
        resolve();
      });
    }
  });
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
