import { FreshetError, type GetRequest, type ObjectRecord, toFreshetError } from '../base/mod.ts';
import type { Door } from '../client/mod.ts';
import type { ArrivalSource } from './arrivals.ts';
import { collectedMethods, objectsPerCallMax, plainMethods } from './worker-door.ts';
import type { FromWorker, ToWorker } from './worker-protocol.ts';

type Call = Extract<FromWorker, { type: 'call' }>;
type Answer = Extract<ToWorker, { type: 'answer' }>;

/** Where shared values come from. */
export type SharedSource = Pick<ArrivalSource, 'getShared' | 'sharedAt'>;

/** The calls of one thread's `ctx.db`, made at the member's door. */
export class WorkerCalls {
  readonly #door: Door;
  readonly #source: SharedSource;
  readonly #post: (answer: Answer) => void;
  /** Shared values of answers that the thread has not taken yet, by call. */
  readonly #lent = new Map<number, Uint8Array>();

  constructor(door: Door, source: SharedSource, post: (answer: Answer) => void) {
    this.#door = door;
    this.#source = source;
    this.#post = post;
  }

  /** Always answers, never rejects. */
  async answer(call: Call): Promise<void> {
    const { id } = call;
    try {
      if (call.method === 'get' && call.shares) await this.#answerGet(id, call.args);
      else {
        const value = alone(await makeCall(this.#door, call));
        this.#post({ type: 'answer', id, value, shared: null, error: null });
      }
    } catch (error) {
      const coded = toFreshetError(error).toJSON();
      this.#post({ type: 'answer', id, value: null, shared: null, error: coded });
    }
  }

  /** The shared value of a call's answer is the thread's own matter now. */
  onTook(id: number): void {
    this.#lent.delete(id);
  }

  async #answerGet(id: number, [request]: readonly unknown[]): Promise<void> {
    const found = await this.#source.getShared(request as GetRequest);
    const bytes = found?.value ?? null;
    const shared = bytes === null ? null : this.#source.sharedAt(bytes);
    if (bytes !== null && shared !== null) this.#lent.set(id, bytes);
    const value: ObjectRecord | null =
      found === null || shared === null ? found : { ...found, value: null };
    this.#post({ type: 'answer', id, value, shared, error: null });
  }
}

/** A value may lie among others, all of which would be sent with it. */
function alone(answer: unknown): unknown {
  const { value } = (answer ?? {}) as { readonly value?: unknown };
  const isAmong = value instanceof Uint8Array && value.byteLength < value.buffer.byteLength;
  return isAmong ? { ...(answer as ObjectRecord), value: new Uint8Array(value) } : answer;
}

async function makeCall(door: Door, { method, args }: Call): Promise<unknown> {
  const methods = door as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  if (collectedMethods.has(method)) {
    return collect(method, methods[method]?.(...args) as AsyncIterable<unknown>);
  }
  if (!plainMethods.has(method)) {
    throw new FreshetError('UNSUPPORTED', `ctx.db does not offer '${method}' inside a lambda`);
  }
  const result = await methods[method]?.(...args);
  return method === 'putMany' ? (result as readonly unknown[]).map(plainError) : result;
}

async function collect(method: string, source: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of source) {
    if (items.length >= objectsPerCallMax) {
      const text = `${method} gave over ${String(objectsPerCallMax)} objects to a lambda`;
      throw new FreshetError('INVALID_QUERY', text, { mend: 'Ask for fewer with limit or take' });
    }
    items.push(item);
  }
  return items;
}

/** Errors lose their class between threads; the SDK shows them by their JSON form. */
function plainError(result: unknown): unknown {
  return result instanceof FreshetError ? result.toJSON() : result;
}
