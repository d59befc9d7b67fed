/**
 * The replicated objects of one member: opens them, and answers the calls of other members.
 *
 * Thread: event loop.
 */
import {
  checkPoolName,
  type Clock,
  FreshetError,
  type Logger,
  toFreshetError,
} from '../base/mod.ts';
import type { Group, PeerMessages } from '../group/mod.ts';
import type { MemberStore } from '../store/mod.ts';
import type { CallId, CallRecord, Outcome } from './call-record.ts';
import type { ReplicatedClass } from './call-types.ts';
import { ObjectCopy } from './object-copy.ts';
import { type CopyAccess, OrderedCaller } from './ordered-caller.ts';
import { Replica } from './replica.ts';
import { ReplicaState } from './replica-state.ts';
import { type CallPaths, checkClass, ReplicatedObject } from './replicated-object.ts';
import { replicatedLimits } from './replicated-limits.ts';
import { StoreLog } from './store-log.ts';

/** What a member gives to what is built in this room. */
export interface HostOptions {
  readonly nodeId: number;
  readonly group: Group;
  readonly messages: PeerMessages;
  readonly store: MemberStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Alike at all members, but for the timeout. */
export interface OpenOptions {
  /** Names the object's pool: `/bank/account`. */
  readonly name: string;
  /** `persistent` (default): what is answered survives the loss of all members at once. */
  readonly kind?: 'volatile' | 'persistent';
  /** Default: the one called as the kind. */
  readonly subgroup?: string;
  /** Place of the shard in its subgroup; default: by the hash of the name. */
  readonly shard?: number;
  /** Calls after which the state is written, so that none before is run again. Default 1000. */
  readonly snapshotCalls?: number;
  /** Of ordered calls, p2p calls too. Default 10 000. */
  readonly timeoutMs?: number;
}

const methods = {
  count: 'replicated.count',
  submit: 'replicated.submit',
  outcome: 'replicated.outcome',
  snapshot: 'replicated.snapshot',
  p2p: 'replicated.p2p',
} as const;

export class ReplicatedHost {
  readonly #options: HostOptions;
  readonly #run: string;
  readonly #copies = new Map<string, ObjectCopy>();
  readonly #names = new Set<string>();
  #closed = false;

  /** `run` names this process: anew with every start. */
  constructor(options: HostOptions, run: string) {
    this.#options = options;
    this.#run = run;
    this.#serve();
    void this.#followViews();
  }

  /**
   * Opens an object at this member, which has a copy from then on whenever it holds the object's
   * shard. Every member that may hold it has to open it. Rejects INVALID_ARGUMENT (open here
   * already, say), INVALID_POOL, POOL_EXISTS (with other options), TIMEOUT.
   */
  async open<Class extends ReplicatedClass>(
    type: Class,
    options: OpenOptions,
  ): Promise<ReplicatedObject<Class>> {
    checkClass(type);
    const name = checkPoolName(options.name);
    if (this.#names.has(name)) {
      throw new FreshetError('INVALID_ARGUMENT', `${name} is open at this member already`, {
        mend: 'Open it once and share the object',
      });
    }
    this.#names.add(name);
    try {
      const snapshotCalls = checkedSnapshotCalls(options.snapshotCalls);
      const log = await StoreLog.open(this.#options.store, this.#placeOf(options, snapshotCalls));
      const copy = this.#copyOf(type, name, log, snapshotCalls);
      await copy.open();
      this.#copies.set(name, copy);
      if (this.#closed) copy.close();
      // What came about meanwhile it was not told.
      copy.onView();
      const paths = this.#paths(name, log.shard, copy, options.timeoutMs);
      return new ReplicatedObject(name, type, this.#options.nodeId, paths);
    } catch (caught) {
      this.#names.delete(name);
      throw caught;
    }
  }

  close(): void {
    this.#closed = true;
    for (const copy of this.#copies.values()) copy.close();
  }

  #placeOf(
    { name, kind = 'persistent', subgroup = kind, shard }: OpenOptions,
    snapshotCalls: number,
  ) {
    const { group, store } = this.#options;
    const { shards } = group.layout.subgroup(subgroup);
    const index = shard ?? Number(store.arrivals.hash(name) % BigInt(shards.length));
    if (shards[index] === undefined) {
      const message = `${name}: the subgroup ${subgroup} has no shard ${String(index)}`;
      throw new FreshetError('INVALID_ARGUMENT', message, {
        mend: `Name one from 0 to ${String(shards.length - 1)}`,
      });
    }
    return { name, kind, subgroup, index, snapshotCalls };
  }

  #copyOf(type: ReplicatedClass, name: string, log: StoreLog, snapshotCalls: number): ObjectCopy {
    const { group, clock, log: logger } = this.#options;
    const { shard } = log;
    return new ObjectCopy({
      name,
      isHeld: () => group.isHere(shard) && group.held.some((one) => one.shard === shard),
      isRunning: () => group.isRunning(shard),
      makeReplica: () => this.#makeReplica(type, name, log, snapshotCalls),
      elsewhere: this.#copyElsewhere(name, shard),
      clock,
      log: logger,
    });
  }

  #makeReplica(type: ReplicatedClass, name: string, log: StoreLog, snapshotCalls: number): Replica {
    const { group, nodeId, clock, log: logger } = this.#options;
    const writer = (): number | undefined => group.holders(log.shard)[0];
    return new Replica({
      name,
      state: new ReplicaState(type),
      log,
      clock,
      logger,
      snapshotCalls,
      leads: () => writer() === nodeId,
      askSnapshot: async () => {
        const node = writer();
        if (node !== undefined && node !== nodeId) await this.#call(node, methods.snapshot, [name]);
      },
    });
  }

  #paths(
    name: string,
    shard: number,
    copy: CopyAccess,
    timeoutMs: number = replicatedLimits.callTimeoutMsDefault,
  ): CallPaths {
    const { nodeId: node, clock, group } = this.#options;
    const caller = new OrderedCaller({ name, node, run: this.#run, clock, copy });
    const members = (): readonly number[] => group.holders(shard);
    return {
      members,
      ordered: async (method, args) => caller.call(method, args, timeoutMs, (outcome) => outcome),
      everywhere: async (method, args) =>
        caller.call(method, args, timeoutMs, async (_own, id, leftMs) =>
          this.#outcomes(name, members, id, clock.monotonicMs() + leftMs),
        ),
      p2p: async (to, method, args) =>
        (await this.#call(to, methods.p2p, [name, method, args], timeoutMs)) as Outcome,
    };
  }

  /** What each member of the view made of a call; who leaves meanwhile is left out. */
  async #outcomes(
    name: string,
    members: () => readonly number[],
    id: CallId,
    deadline: number,
  ): Promise<ReadonlyMap<number, Outcome>> {
    const { clock } = this.#options;
    const found = await Promise.all(
      members().map(async (node): Promise<[number, Outcome][]> => {
        for (;;) {
          const leftMs = Math.max(1, deadline - clock.monotonicMs());
          try {
            const outcome = await this.#call(node, methods.outcome, [name, id], leftMs);
            return [[node, outcome as Outcome]];
          } catch (caught) {
            if (!members().includes(node)) return [];
            const error = toFreshetError(caught);
            const isOver = clock.monotonicMs() + replicatedLimits.retryPauseMs >= deadline;
            if (!error.retryable || isOver) throw error;
            await pause(clock);
          }
        }
      }),
    );
    return new Map(found.flat());
  }

  #copyElsewhere(name: string, shard: number): CopyAccess {
    const { group, messages } = this.#options;
    const holder = (): number => {
      const node = group.holders(shard).find((one) => messages.up.has(one));
      if (node === undefined) {
        throw group.stoppedError(shard, `${name} is not reached`);
      }
      return node;
    };
    return {
      count: async () => (await this.#call(holder(), methods.count, [name])) as number,
      submit: async (call, timeoutMs) =>
        (await this.#call(holder(), methods.submit, [name, call, timeoutMs], timeoutMs)) as Outcome,
    };
  }

  async #call(
    node: number,
    method: string,
    argument: readonly unknown[],
    timeoutMs: number | null = null,
  ): Promise<unknown> {
    return this.#options.messages.call(node, method, argument, { timeoutMs, signal: null });
  }

  #serve(): void {
    const { messages } = this.#options;
    const on = (
      method: string,
      serve: (replica: Replica, rest: readonly unknown[]) => Promise<unknown>,
    ): void => {
      messages.handle(method, async (_from, argument) => {
        const [name, ...rest] = argument as [string, ...unknown[]];
        return serve(this.#replica(name), rest);
      });
    };
    on(methods.count, (replica) => Promise.resolve(replica.state.count));
    on(methods.submit, (replica, [call, timeoutMs]) =>
      replica.submit(call as CallRecord, timeoutMs as number),
    );
    on(methods.outcome, (replica, [id]) => replica.whenApplied(id as CallId));
    on(methods.p2p, (replica, [method, args]) =>
      replica.read(method as string, args as Uint8Array),
    );
    on(methods.snapshot, async (replica) => {
      await replica.writeSnapshot();
      return null;
    });
  }

  #replica(name: string): Replica {
    const found = this.#copies.get(name)?.replica ?? null;
    if (found === null) {
      const at = String(this.#options.nodeId);
      throw new FreshetError('NOT_A_MEMBER', `Member ${at} has no copy of ${name} open`, {
        mend: 'Open it at every member of its shard',
      });
    }
    return found;
  }

  async #followViews(): Promise<void> {
    for await (const { running } of this.#options.group.watchView()) {
      if (running && !this.#closed) {
        for (const copy of this.#copies.values()) copy.onView();
      }
    }
  }
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(replicatedLimits.retryPauseMs, resolve);
  });
}

function checkedSnapshotCalls(given: number | undefined): number {
  const calls = given ?? replicatedLimits.snapshotCallsDefault;
  if (Number.isInteger(calls) && calls >= 1 && calls <= replicatedLimits.snapshotCallsMax) {
    return calls;
  }
  throw new FreshetError('INVALID_ARGUMENT', `snapshotCalls of ${String(calls)} is not possible`, {
    mend: `Give 1 to ${String(replicatedLimits.snapshotCallsMax)}`,
  });
}
