/** Bits of the gate's word. */
const inside = 1;
const closed = 2;

/**
 * Purpose: a worker thread is never ended while it is inside a native call.
 *   An addon that comes back into a thread whose JavaScript is forbidden by then cannot hand over
 *   its result; one built on node-addon-api throws out of its C++ code, which ends the process.
 * Threads: the lambda's calls `run`, the host's calls `close`, `isInside` and `markGone`; both meet
 *   in one shared word, each change of which is one atomic operation.
 * Invariants
 *  1. Once `close` returned and `isInside` is false, the thread never enters a native call again: it
 *     may be ended.
 *  2. A thread that meets the closed gate, on its way in or out, parks for good. Nothing of the
 *     lambda runs on, and it waits where ending it is safe: `terminate` ends a futex wait.
 *  3. Only the thread sets and clears `inside`, only the host sets `closed`, which is never cleared:
 *     a host that waits is never overtaken by the thread's next call.
 */
export class NativeGate {
  readonly shared: SharedArrayBuffer;
  readonly #word: Int32Array;
  /** Native calls that lie in one another; only the outermost one passes the gate. */
  #depth = 0;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#word = new Int32Array(shared);
  }

  /** Makes a synchronous native call and returns what it returns; does not return when closed. */
  run<T>(call: () => T): T {
    if (this.#depth++ === 0) this.#enter();
    try {
      return call();
    } finally {
      if (--this.#depth === 0) this.#leave();
    }
  }

  close(): void {
    Atomics.or(this.#word, 0, closed);
  }

  get isInside(): boolean {
    return (Atomics.load(this.#word, 0) & inside) !== 0;
  }

  /** The thread is over, wherever it was. */
  markGone(): void {
    Atomics.and(this.#word, 0, ~inside);
  }

  #enter(): void {
    if (Atomics.compareExchange(this.#word, 0, 0, inside) !== 0) this.#park();
  }

  #leave(): void {
    if (Atomics.and(this.#word, 0, ~inside) !== inside) this.#park();
  }

  #park(): never {
    for (;;) Atomics.wait(this.#word, 0, closed);
  }
}

/** What `onnxruntime-node/dist/binding.js` exports of its addon. */
export interface OnnxBinding {
  InferenceSession: NativeClass;
  listSupportedBackends: NativeFunction;
  initOrtOnce: NativeFunction;
}

type NativeFunction = (...args: unknown[]) => unknown;
type NativeClass = new (...args: unknown[]) => object;

/** Puts every function of the binding behind the gate, before anything else has taken one. */
export function guardOnnx(binding: OnnxBinding, gate: NativeGate): void {
  binding.InferenceSession = guardClass(binding.InferenceSession, gate);
  binding.listSupportedBackends = guardFunction(binding.listSupportedBackends, gate);
  binding.initOrtOnce = guardFunction(binding.initOrtOnce, gate);
}

function guardFunction(native: NativeFunction, gate: NativeGate): NativeFunction {
  return function (this: unknown, ...args) {
    return gate.run(() => Reflect.apply(native, this, args));
  };
}

/** A class over `native`, whose own members cannot be redefined. */
function guardClass(native: NativeClass, gate: NativeGate): NativeClass {
  const base = native.prototype as object;
  const prototype = Object.create(base, guardMembers(base, gate)) as object;
  return new Proxy(native, {
    construct: (target, args): object => {
      const made: unknown = gate.run(() => Reflect.construct(target, args));
      return Object.setPrototypeOf(made, prototype) as object;
    },
  });
}

function guardMembers(prototype: object, gate: NativeGate): PropertyDescriptorMap {
  const members = Object.entries(Object.getOwnPropertyDescriptors(prototype)) as [
    string,
    { value?: NativeFunction; get?: NativeFunction },
  ][];
  return Object.fromEntries(
    members.flatMap(([name, { value, get }]): [string, PropertyDescriptor][] => {
      if (name === 'constructor') return [];
      if (get !== undefined) return [[name, { get: guardFunction(get, gate) }]];
      return value === undefined ? [] : [[name, { value: guardFunction(value, gate) }]];
    }),
  );
}
