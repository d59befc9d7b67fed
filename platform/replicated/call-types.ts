import type { CallKind, Replicated } from './replicated.ts';

/** A class of replicated objects; its constructor takes nothing, as every member makes its own. */
export interface ReplicatedClass<Instance extends Replicated = Replicated> {
  new (): Instance;
  readonly calls: Readonly<Record<string, CallKind>>;
}

/** The methods that `static calls` of a class names as of a kind. */
type NamesOf<Class extends ReplicatedClass, Kind extends CallKind> = {
  [Name in keyof Class['calls']]: Class['calls'][Name] extends Kind ? Name : never;
}[keyof Class['calls']] &
  keyof InstanceType<Class>;

/** An ordered method has its result at once: what is awaited comes in another order elsewhere. */
type OrderedCall<Method, Wrapped extends 'one' | 'all'> = Method extends (
  ...args: infer Args
) => infer Result
  ? Result extends PromiseLike<unknown>
    ? never
    : (
        ...args: Args
      ) => Promise<Wrapped extends 'all' ? ReadonlyMap<number, CallOutcome<Result>> : Result>
  : never;

type P2pCall<Method> = Method extends (...args: infer Args) => infer Result
  ? (...args: Args) => Promise<Awaited<Result>>
  : never;

/** What one member's copy made of a call. */
export type CallOutcome<Result> =
  { readonly ok: true; readonly value: Result } | { readonly ok: false; readonly error: Error };

export type OrderedCalls<Class extends ReplicatedClass> = {
  readonly [Name in NamesOf<Class, 'ordered'>]: OrderedCall<InstanceType<Class>[Name], 'one'>;
};

/** As `OrderedCalls`, with the outcome at every member of the shard that is in the view. */
export type OrderedCallsEverywhere<Class extends ReplicatedClass> = {
  readonly [Name in NamesOf<Class, 'ordered'>]: OrderedCall<InstanceType<Class>[Name], 'all'>;
};

export type P2pCalls<Class extends ReplicatedClass> = {
  readonly [Name in NamesOf<Class, 'p2p'>]: P2pCall<InstanceType<Class>[Name]>;
};
