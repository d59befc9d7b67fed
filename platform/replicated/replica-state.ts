/**
 * One copy of a replicated object: what follows from its snapshot and the calls after it. Pure but
 * for the user's methods, which have to be deterministic.
 *
 * Invariants
 *  1. Calls are applied in version order, each once, whatever it comes to.
 *  2. Two copies that applied the same versions are equal, the table of callers included.
 */
import { check, FreshetError, SeededRandom, toFreshetError } from '../base/mod.ts';
import {
  type CallId,
  type CallRecord,
  decodeRecord,
  decodeValue,
  encodeRecord,
  encodeValue,
  type Outcome,
} from './call-record.ts';
import type { ReplicatedClass } from './call-types.ts';
import { CallerTable } from './caller-table.ts';
import { Replicated } from './replicated.ts';
import { replicatedLimits } from './replicated-limits.ts';

/** Where a call stands in the log. */
export interface CallPlace {
  readonly version: number;
  readonly epoch: number;
  readonly time: number;
}

const noPlace: CallPlace = Object.freeze({ version: 0, epoch: 0, time: 0 });
const noBytes = new Uint8Array(0);

export class ReplicaState {
  readonly #class: ReplicatedClass;
  #object: Replicated;
  #callers: CallerTable;
  #count = 0;
  #last: CallPlace = noPlace;

  constructor(type: ReplicatedClass) {
    this.#class = type;
    this.#object = new type();
    this.#callers = new CallerTable(replicatedLimits.retryWindowCalls);
  }

  /** Of the newest call that was applied, or removed; version 0: none. */
  get last(): CallPlace {
    return this.#last;
  }

  /** Calls applied since the object began, those that were sent twice included. */
  get count(): number {
    return this.#count;
  }

  outcomeOf(id: CallId): Outcome | null {
    return this.#callers.outcomeOf(id);
  }

  apply(call: CallRecord, place: CallPlace): Outcome {
    check(place.version > this.#last.version, 'calls are applied in order', {
      version: place.version,
      last: this.#last.version,
    });
    const verdict = this.#callers.judge(call, this.#count);
    const outcome =
      verdict.kind === 'applied'
        ? verdict.outcome
        : verdict.kind === 'expired'
          ? failed(expired(call))
          : this.#run(call, place);
    this.#count++;
    this.#last = place;
    // An expired one says nothing about what its caller still waits for.
    if (verdict.kind !== 'expired') {
      this.#callers.note(call, outcome, this.#count);
    }
    return outcome;
  }

  /** A place in the log that holds no call. */
  skip(place: CallPlace): void {
    this.#count++;
    this.#last = place;
  }

  /** A p2p method, on the state as it is now. */
  async read(method: string, args: Uint8Array): Promise<Outcome> {
    try {
      const found = this.#methodOf(method, 'p2p');
      const result: unknown = await found.call(this.#object, ...argumentsOf(args));
      return succeeded(result, method);
    } catch (caught) {
      return failed(callError(caught, method));
    }
  }

  snapshot(): Uint8Array {
    const { version, epoch, time } = this.#last;
    return encodeRecord(
      version,
      epoch,
      time,
      this.#count,
      this.#callers.encode(),
      this.#object.snapshot(),
    );
  }

  /** Throws LOG_CORRUPT, NEWER_FORMAT, or what the object's `restore` threw, as CALL_FAILED. */
  restore(bytes: Uint8Array): void {
    const [version, epoch, time, count, callers, state] = decodeRecord(bytes, 'snapshot');
    const object = new this.#class();
    try {
      object.restore(state as Uint8Array);
    } catch (caught) {
      throw callError(caught, 'restore');
    }
    this.#object = object;
    this.#callers = CallerTable.decode(replicatedLimits.retryWindowCalls, callers);
    this.#count = count as number;
    this.#last = { version: version as number, epoch: epoch as number, time: time as number };
  }

  /** As if nothing had been applied. `place`: up to where there is nothing to apply. */
  clear(place: CallPlace = noPlace): void {
    this.#object = new this.#class();
    this.#callers = new CallerTable(replicatedLimits.retryWindowCalls);
    this.#count = 0;
    this.#last = place;
  }

  #run({ id, method, args }: CallRecord, place: CallPlace): Outcome {
    const context = { ...place, caller: id.node, random: new SeededRandom(place.version) };
    try {
      const found = this.#methodOf(method, 'ordered');
      const given = argumentsOf(args);
      const result = Replicated.run(this.#object, context, () =>
        found.call(this.#object, ...given),
      );
      if (isThenable(result)) {
        throw new FreshetError('CALL_FAILED', `The ordered method ${method} returned a promise`, {
          mend: 'Return the result itself: what is awaited comes in another order elsewhere',
        });
      }
      return succeeded(result, method);
    } catch (caught) {
      return failed(callError(caught, method));
    }
  }

  /** Members may run different versions of the class: what one does not know it refuses. */
  #methodOf(name: string, kind: 'ordered' | 'p2p'): (...args: unknown[]) => unknown {
    const { calls } = this.#class;
    const found = Object.hasOwn(calls, name) && calls[name] === kind;
    const method: unknown = found ? Reflect.get(this.#object, name) : undefined;
    if (typeof method !== 'function') {
      throw new FreshetError('UNSUPPORTED', `${this.#class.name} has no ${kind} call ${name}`, {
        mend: 'Run the same version of the class at all members',
      });
    }
    return method as (...args: unknown[]) => unknown;
  }
}

function argumentsOf(args: Uint8Array): unknown[] {
  return decodeValue(args) as unknown[];
}

function succeeded(result: unknown, method: string): Outcome {
  const value = result === undefined ? noBytes : encodeValue(result, `The result of ${method}`);
  return { error: null, value };
}

function failed(error: FreshetError): Outcome {
  return { error: error.toJSON(), value: noBytes };
}

function callError(caught: unknown, method: string): FreshetError {
  if (caught instanceof FreshetError) {
    return caught;
  }
  const { message } = toFreshetError(caught);
  return new FreshetError('CALL_FAILED', message, { details: { method }, cause: caught });
}

function expired({ id, method }: CallRecord): FreshetError {
  const message = `The call ${method} of member ${String(id.node)} is too old to tell a retry from`;
  return new FreshetError('SESSION_EXPIRED', message, {
    mend: 'Read the state, then call anew',
    details: { method, request: id.request },
  });
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value;
}
