import { errorFromObject, type FreshetError } from '../base/mod.ts';
import type { Door } from '../client/mod.ts';
import type { ValueReader } from './value-reader.ts';
import type { FromWorker, ToWorker } from './worker-protocol.ts';

type Pending = {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: FreshetError) => void;
};

/** Objects that one call may bring into a worker; more must be asked for in pages. */
export const objectsPerCallMax = 10_000;

/** Calls that give many objects; the member collects them up to `objectsPerCallMax`. */
export const collectedMethods: ReadonlySet<string> = new Set(['history', 'list', 'query']);
export const plainMethods: ReadonlySet<string> = new Set([
  'put',
  'putMany',
  'remove',
  'get',
  'stat',
  'triggerPut',
  'frontier',
  'pools',
  'members',
]);

/**
 * The SDK's door inside a lambda's worker: every call is a message to the member and an answer.
 * `watch`, `createPool` and `removePool` are not offered: a lambda is driven by its events.
 */
export class WorkerDoor {
  readonly #post: (message: FromWorker) => void;
  readonly #values: ValueReader;
  readonly #pending = new Map<number, Pending>();
  #next = 1;

  constructor(post: (message: FromWorker) => void, values: ValueReader) {
    this.#post = post;
    this.#values = values;
  }

  asDoor(): Door {
    return new Proxy({} as Door, {
      get: (_target, name) => (typeof name === 'string' ? this.#method(name) : undefined),
    });
  }

  onAnswer({ id, value, shared, error }: Extract<ToWorker, { type: 'answer' }>): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error !== null) {
      pending?.reject(errorFromObject(error));
    } else if (shared === null) {
      pending?.resolve(value);
    } else {
      const bytes = this.#values.open(shared);
      this.#post({ type: 'took', id });
      if (pending === undefined) return;
      if (bytes !== null) pending.resolve({ ...(value as object), value: bytes });
      // The run is over meanwhile, or somebody wrote to it.
      else this.#ask(pending, false);
    }
  }

  #method(name: string): unknown {
    if (collectedMethods.has(name)) {
      const call = async (...args: unknown[]) => (await this.#call(name, args)) as unknown[];
      return async function* collected(...args: unknown[]) {
        yield* await call(...args);
      };
    }
    if (name === 'close') return async () => Promise.resolve();
    return async (...args: unknown[]) => this.#call(name, args);
  }

  async #call(method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const pending = { method, args: args.map(withoutSignal), resolve, reject };
      this.#ask(pending, this.#values.shares);
    });
  }

  #ask(pending: Pending, shares: boolean): void {
    const id = this.#next++;
    this.#pending.set(id, pending);
    const { method, args } = pending;
    this.#post({ type: 'call', id, method, args, shares });
  }
}

/** Signals do not cross threads; the call ends with its own time limit. */
function withoutSignal(argument: unknown): unknown {
  if (argument instanceof AbortSignal) return undefined;
  if (typeof argument !== 'object' || argument === null || !('signal' in argument)) return argument;
  return { ...argument, signal: undefined };
}
