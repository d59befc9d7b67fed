import type { Writable } from 'node:stream';
import { once } from 'node:events';

const frameBytes = 256 * 1024;
const frameItemsMax = 1000;

/**
 * Groups items into frames: what comes without a wait goes together, up to about `frameBytes`.
 * An item that is slow to come does not hold back the ones before it.
 */
export async function* batched<T, B>(
  items: AsyncIterable<T>,
  sizeOf: (item: T) => number,
  frameOf: (items: readonly T[]) => B,
): AsyncGenerator<B> {
  const iterator = items[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<T>> | null = iterator.next();
  try {
    while (pending !== null) {
      const first: IteratorResult<T> = await pending;
      if (first.done === true) return;
      const frame = [first.value];
      let bytes = sizeOf(first.value);
      pending = iterator.next();
      while (bytes < frameBytes && frame.length < frameItemsMax) {
        const next = await settledNow(pending);
        if (next === null) break;
        if (next.done === true) {
          pending = null;
          break;
        }
        frame.push(next.value);
        bytes += sizeOf(next.value);
        pending = iterator.next();
      }
      yield frameOf(frame);
    }
  } finally {
    pending?.catch(() => undefined);
    iterator.return?.().catch(() => undefined);
  }
}

/** Writes frames as fast as the other side reads them; ends early when aborted. */
export async function pump<B>(
  frames: AsyncIterable<B>,
  target: Writable,
  signal: AbortSignal,
): Promise<void> {
  for await (const frame of frames) {
    if (signal.aborted || target.destroyed) return;
    if (!target.write(frame)) await once(target, 'drain', { signal }).catch(ignoreAbort);
  }
}

const notYet = Symbol('not yet');

/** The result if it is there within this turn's microtasks, else null. */
async function settledNow<T>(promise: Promise<T>): Promise<T | null> {
  const later = new Promise<typeof notYet>((resolve) => {
    setImmediate(resolve, notYet);
  });
  const winner = await Promise.race([promise, later]);
  return winner === notYet ? null : winner;
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
}
