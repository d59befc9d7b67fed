import { errorFromObject, FreshetError } from '../base/mod.ts';
import { decodeValue, encodeValue, type Outcome } from './call-record.ts';
import type {
  CallOutcome,
  OrderedCalls,
  OrderedCallsEverywhere,
  P2pCalls,
  ReplicatedClass,
} from './call-types.ts';
import type { CallKind } from './replicated.ts';

/** What the calls of one object go through. */
export interface CallPaths {
  /** The shard's members in the view, in rank order. */
  members(): readonly number[];
  ordered(method: string, args: readonly unknown[]): Promise<Outcome>;
  everywhere(method: string, args: readonly unknown[]): Promise<ReadonlyMap<number, Outcome>>;
  p2p(node: number, method: string, args: Uint8Array): Promise<Outcome>;
}

type AnyCall = (...args: unknown[]) => Promise<unknown>;

/** A replicated object as programs call it. */
export class ReplicatedObject<Class extends ReplicatedClass> {
  readonly name: string;
  /**
   * Run by every member of the shard in one order, each once. Resolves with the result of the copy
   * here, or, where the shard is not held, of one at a member that holds it. Rejects what the
   * method threw (CALL_FAILED unless it was coded), TIMEOUT (it may be applied later),
   * SESSION_EXPIRED, VALUE_TOO_LARGE, OVERLOADED, UNKNOWN_POOL (the object's pool was removed).
   */
  readonly ordered: OrderedCalls<Class>;
  /** As `ordered`, with what every member of the view made of it. */
  readonly everywhere: OrderedCallsEverywhere<Class>;
  readonly #paths: CallPaths;
  readonly #class: Class;
  readonly #nodeId: number;

  constructor(name: string, type: Class, nodeId: number, paths: CallPaths) {
    this.name = name;
    this.#class = type;
    this.#nodeId = nodeId;
    this.#paths = paths;
    this.ordered = proxy(type, 'ordered', async (method, args) =>
      valueOf(await paths.ordered(method, args)),
    ) as OrderedCalls<Class>;
    this.everywhere = proxy(type, 'ordered', async (method, args) => {
      const outcomes = await paths.everywhere(method, args);
      return new Map([...outcomes].map(([node, outcome]) => [node, told(outcome)]));
    }) as OrderedCallsEverywhere<Class>;
  }

  /** The members of the shard that are in the view, in rank order. */
  get members(): readonly number[] {
    return this.#paths.members();
  }

  /** Run by the copy here, on what it has applied so far. */
  get local(): P2pCalls<Class> {
    return this.p2p(this.#nodeId);
  }

  /**
   * Run by one member. Rejects UNREACHABLE, NOT_A_MEMBER where it is not open, UNKNOWN_POOL,
   * TIMEOUT.
   */
  p2p(node: number): P2pCalls<Class> {
    return proxy(this.#class, 'p2p', async (method, args) => {
      const bytes = encodeValue(args, `The arguments of ${method}`);
      return valueOf(await this.#paths.p2p(node, method, bytes));
    }) as P2pCalls<Class>;
  }
}

/** Throws INVALID_ARGUMENT when `static calls` names what is no method of the class. */
export function checkClass(type: ReplicatedClass): void {
  for (const name of Object.keys(type.calls)) {
    const own = name === 'snapshot' || name === 'restore' || name === 'constructor';
    if (own || typeof Reflect.get(type.prototype as object, name) !== 'function') {
      throw new FreshetError(
        'INVALID_ARGUMENT',
        `${type.name} has no method ${name} to be called`,
        {
          mend: 'Name methods of the class in static calls',
        },
      );
    }
  }
}

function proxy(
  type: ReplicatedClass,
  kind: CallKind,
  call: (method: string, args: readonly unknown[]) => Promise<unknown>,
): Readonly<Record<string, AnyCall>> {
  const names = Object.keys(type.calls).filter((name) => type.calls[name] === kind);
  const calls = names.map((name): [string, AnyCall] => [name, async (...args) => call(name, args)]);
  return Object.freeze(Object.fromEntries(calls));
}

function valueOf({ error, value }: Outcome): unknown {
  if (error !== null) throw errorFromObject(error);
  return decodeValue(value);
}

function told({ error, value }: Outcome): CallOutcome<unknown> {
  return error === null
    ? { ok: true, value: decodeValue(value) }
    : { ok: false, error: errorFromObject(error) };
}
