/** Pieces of long values, which are given up with TIMEOUT once they move too slowly. */
import type { Writable } from 'node:stream';
import { FreshetError } from '../../base/mod.ts';
import { Movement } from '../movement.ts';

interface Piece {
  readonly bytes: Uint8Array;
}

/** The pieces as they come. */
export async function* comingMoving<P extends Piece>(
  pieces: AsyncIterable<P>,
  idleMs: number,
): AsyncGenerator<P> {
  const iterator = pieces[Symbol.asyncIterator]();
  const slow = new AbortController();
  const movement = new Movement(idleMs, (error) => {
    slow.abort(error);
  });
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), slow.signal);
      if (next.done === true) return;
      movement.moved(next.value.bytes.byteLength);
      yield next.value;
    }
  } finally {
    movement.end();
    iterator.return?.().catch(() => undefined);
  }
}

/** Writes the pieces, each once the one before it has gone; ends early when `signal` is aborted. */
export async function pumpMoving<P extends Piece>(
  pieces: AsyncIterable<P>,
  target: Writable,
  signal: AbortSignal,
  idleMs: number,
): Promise<void> {
  const slow = new AbortController();
  const ended = AbortSignal.any([signal, slow.signal]);
  let movement: Movement | null = null;
  try {
    for await (const piece of pieces) {
      if (signal.aborted || target.destroyed) return;
      // The value was fetched before, however long that took.
      movement ??= new Movement(idleMs, (error) => {
        slow.abort(error);
      });
      await unlessAborted(written(target, piece), ended);
      movement.moved(piece.bytes.byteLength);
    }
  } catch (caught) {
    if (!signal.aborted) throw caught;
  } finally {
    movement?.end();
  }
}

/** Also when it failed: the target tells why. */
function written(target: Writable, piece: Piece): Promise<void> {
  return new Promise((resolve) => {
    target.write(piece, () => {
      resolve();
    });
  });
}

/** Rejects with why it was aborted. */
function unlessAborted<T>(step: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      const { reason } = signal as { readonly reason: unknown };
      reject(reason instanceof FreshetError ? reason : new FreshetError('CANCELLED', 'Given up'));
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void step.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', stop);
    });
  });
}
