import type {
  GetRequest,
  HistoryRequest,
  ListRequest,
  ObjectRecord,
  PoolInfo,
  PoolOptions,
  PutOutcome,
  PutRequest,
  PutResult,
  RemoveRequest,
  ShardFrontier,
  TriggerRequest,
  TriggerResult,
  WatchEvent,
  WatchRequest,
} from './base/mod.ts';
import type { Door, MemberInfo, ViewInfo } from './client/mod.ts';
import type { Member } from './node.ts';
import { localShards, parsePlan, QueryEngine } from './query/mod.ts';

/** The SDK's door inside a member: its own store, and through it the whole cluster. */
export class MemberDoor implements Door {
  readonly #member: Member;
  readonly #queries: QueryEngine;
  readonly #portsOf: (node: number) => Readonly<Record<string, number>>;

  /** `portsOf`: on which the doors of a member listen, as far as that is known here. */
  constructor(member: Member, portsOf: (node: number) => Readonly<Record<string, number>>) {
    const { shardSource, objects } = member.store;
    this.#member = member;
    this.#portsOf = portsOf;
    this.#queries = new QueryEngine({
      shards: localShards(shardSource),
      valueKindOf: (name) => {
        const pool = objects.directory.get(name);
        if (pool === null) throw objects.directory.unknown(name);
        return pool.schema;
      },
    });
  }

  put(request: PutRequest): Promise<PutResult> {
    return this.#member.store.objects.put(request);
  }

  putMany(requests: readonly PutRequest[]): Promise<readonly PutOutcome[]> {
    return this.#member.store.objects.putMany(requests);
  }

  remove(request: RemoveRequest): Promise<PutResult> {
    return this.#member.store.objects.remove(request);
  }

  get(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#member.store.objects.get(request);
  }

  async stat(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#member.store.objects.stat(request);
  }

  history(request: HistoryRequest): AsyncIterable<ObjectRecord> {
    return this.#member.store.objects.history(request);
  }

  list(request: ListRequest): AsyncIterable<string> {
    return this.#member.store.objects.list(request);
  }

  watch(request: WatchRequest): AsyncIterable<WatchEvent> {
    return this.#member.store.objects.watch(request);
  }

  async triggerPut(request: TriggerRequest): Promise<TriggerResult> {
    return this.#member.store.objects.triggerPut(request);
  }

  async *query(plan: unknown, signal?: AbortSignal): AsyncGenerator {
    const parsed = parsePlan(plan);
    // A pool made a moment ago at another member is looked for before it is refused.
    await this.#member.store.objects.pool(parsed.source.pool);
    for await (const batch of this.#queries.run(parsed, signal ?? new AbortController().signal)) {
      yield* batch;
    }
  }

  async frontier(pool: string): Promise<readonly ShardFrontier[]> {
    return this.#member.store.objects.frontier(pool);
  }

  async pools(): Promise<readonly PoolInfo[]> {
    return this.#member.store.objects.pools();
  }

  async createPool(options: PoolOptions): Promise<PoolInfo> {
    return this.#member.store.objects.createPool(options);
  }

  async removePool(name: string): Promise<void> {
    await this.#member.store.objects.removePool(name);
  }

  async members(): Promise<ViewInfo> {
    const { group, nodeId } = this.#member;
    const { number, members, running } = group.view;
    const infos = members.map(({ id, host, port, up }): MemberInfo => ({
      nodeId: id,
      host,
      ports: { replication: port, ...this.#portsOf(id) },
      up,
    }));
    const waitingFor = running ? null : group.explain();
    return Promise.resolve({ view: number, me: nodeId, members: infos, waitingFor });
  }

  async close(): Promise<void> {
    // The member closes its store itself, after its doors.
    return Promise.resolve();
  }
}
