import { type Logger, messageOf, SeededRandom } from '../../platform/base/mod.ts';
import { type MemberHandle, viewNotices } from '../../platform/bridge/mod.ts';
import { Group } from '../../platform/group/group.ts';
import type { GroupMessage } from '../../platform/group/group-messages.ts';
import { groupLimits } from '../../platform/group/group-limits.ts';
import type { Layout } from '../../platform/group/layout.ts';
import type { SubgroupOptions } from '../../platform/group/layout-options.ts';
import type { GroupStatus } from '../../platform/group/machine-types.ts';
import { MemberCore } from '../../platform/group/member-core.ts';
import { type CallOptions, PeerMessages } from '../../platform/group/peer-messages.ts';
import { readViewRecord } from '../../platform/group/view-record.ts';
import { type ClusterShards, openClusterShards } from '../../platform/store/cluster-shards.ts';
import type { ShardChange } from '../../platform/store/shard-access.ts';
import { answerKinds, type WorldAddon, worldSteps } from './world-addon.ts';
import type { WorldStep } from './world-addon.ts';
import { statusOf, WorldCalls } from './world-calls.ts';
import { WorldCatalog, type WorldCatalogOptions } from './world-catalog.ts';
import type { CatalogLedger } from './world-catalog-ledger.ts';
import { type WatchedHistories, type Watcher, watchShard } from './world-watch.ts';
import type { Canary } from './world-canaries.ts';
import { Waits, WorldClock, worldFiles } from './world-clock.ts';

/** Of clocks that nobody stepped: by a second at most, and what they drift. */
const worldSkewMs = 1500;

const nothing = new Float64Array(4);

/** Of an answer of a scan; a record may be longer. */
const scanBatchBytes = 8192;

export interface MemberPlace {
  readonly node: number;
  readonly layout: Layout;
  /** Those that somebody asks for later; rings have room for the largest. */
  readonly changes: readonly Layout[];
  /** A member that is away for so long loses its places to others. */
  readonly replaceAfterMs: number;
  readonly heartbeatMs: number;
  readonly log: Logger;
  /** Of this process. */
  readonly seed: number;
  readonly canary: Canary;
  /** Of the whole cluster. */
  readonly counts: MemberCounts;
  /** Null: nobody watches. */
  readonly watched: WatchedHistories | null;
  /** Some reads of clients go with one of the past. */
  readonly surveys: boolean;
  /** Null: members have no catalog, and no pool lives anywhere. */
  readonly pools: CatalogLedger | null;
}

/**
 * Members that were said to hold others up, shards that such members left and observed, and ends of
 * epochs that members had missed and fetched.
 */
export class MemberCounts {
  readonly #accused = new Set<string>();
  readonly #observed = new Set<string>();
  fetchedEnds = 0;

  get counts(): Record<'accused' | 'observed' | 'fetchedEnds', number> {
    const { fetchedEnds } = this;
    return { accused: this.#accused.size, observed: this.#observed.size, fetchedEnds };
  }

  note(from: number, hello: GroupMessage & { readonly type: 'hello' }): void {
    for (const { shard, epoch, node } of hello.slow) {
      this.#accused.add([node, shard, epoch].join());
    }
    for (const { shard } of hello.observes) {
      this.#observed.add([from, shard, hello.view].join());
    }
  }
}

/** Says something without ending what the member is about. */
function isBeside({ type }: GroupMessage): boolean {
  return type === 'hello' || type === 'filling';
}

/** What a message that a member takes makes it do, until it answers. */
const stepOfRequest: Partial<Record<GroupMessage['type'], WorldStep>> = {
  collect: 'reporting',
  seal: 'sealed',
  fill: 'filling-mine',
  adopt: 'adopted',
  prepare: 'recording',
  start: 'beginning',
  admit: 'filling',
};

const stepOfPhase = {
  waiting: 'waiting',
  collecting: 'collecting',
  sealing: 'sealing',
  filling: 'filling-all',
  adopting: 'adopting',
  preparing: 'preparing',
  pausing: 'pausing',
  starting: 'starting',
} as const;

/**
 * The event loop of one process: the product's own core, messages and group, as `platform/node.ts`
 * puts them together, over the clocks and the disk of its node.
 */
export class WorldMember {
  readonly waits = new Waits();
  readonly #addon: WorldAddon;
  readonly #place: MemberPlace;
  #handle: MemberHandle | null = null;
  #onWake: () => void = () => undefined;
  #group: Group | null = null;
  #calls: WorldCalls | null = null;
  #catalog: WorldCatalog | null = null;
  #step: WorldStep = 'waiting';
  #request: WorldStep = 'waiting';
  #viewed = false;
  #toldView = 0;
  /** As the group told it last, and in which generation: it is asked for at every event. */
  #status: GroupStatus | null = null;
  #statusOf = -1;

  constructor(addon: WorldAddon, place: MemberPlace) {
    this.#addon = addon;
    this.#place = place;
  }

  start(): void {
    this.#open().catch((caught: unknown) => {
      if (this.waits.alive) this.#addon.fail(this.#place.node, messageOf(caught));
    });
  }

  /** Nothing of it happens any more, and nothing keeps its memory. */
  end(): void {
    this.waits.alive = false;
    this.#group = null;
    this.#calls = null;
    this.#catalog = null;
    this.#onWake = () => undefined;
    if (this.#handle !== null) this.#addon.closeMember(this.#handle);
    this.#handle = null;
  }

  wake(): void {
    this.#onWake();
  }

  /** Asks as the door of the member would; whether it can be done is the leader's to say. */
  move(shard: number, from: number, to: number): void {
    this.#group?.move({ shard, from, to }).catch(this.#onRefused);
  }

  changeLayout(subgroups: readonly SubgroupOptions[]): void {
    const request = { subgroups, exclusive: null, expect: null, dryRun: false };
    this.#group?.changeLayout(request).catch(this.#onRefused);
  }

  /** As the doors of the member do for a client; `request`: shard << 6 | key << 2 | level. */
  read(id: number, request: number): void {
    if (this.#calls === null)
      this.#addon.tellRead(this.#place.node, id, answerKinds.refused, 0, 0, null);
    else this.#calls.read(id, request);
  }

  put(id: number): void {
    if (this.#calls !== null) this.#calls.put(id);
    else this.#addon.tellPut(this.#place.node, id, statusOf(this.#addon, 'SHARD_STOPPED'), nothing);
  }

  /** A client asks for pools or settings; see WorldCatalog. */
  askCatalog(id: number, round: number): void {
    if (this.#catalog !== null) this.#catalog.ask(id, round);
    else this.#addon.tellCatalog(id);
  }

  /** At rest. */
  checkCatalog(): void {
    this.#catalog?.checkEnd();
  }

  readonly #onRefused = (caught: unknown): void => {
    this.#place.log.info(messageOf(caught));
  };

  /** After a turn of the loop: says what it is about now. */
  tellStep(): void {
    this.#tellLayout();
    const step = this.#stepNow();
    if (step === this.#step || !this.waits.alive) return;
    this.#step = step;
    this.#addon.tellStep(this.#place.node, worldSteps.indexOf(step));
  }

  /** To the clients: where subgroups come and go, with each view. */
  #tellLayout(): void {
    const group = this.#group;
    const { layout, changes, canary } = this.#place;
    if (group === null || changes.length === 0) return;
    const view = this.#statusNow()?.view ?? 0;
    if (view === this.#toldView) return;
    this.#toldView = view;
    if (view === 0) return;
    const ordered = group.layout.shards.filter(({ delivery }) => delivery !== 'raw');
    const isNarrow = group.layout.shards.length === layout.shards.length;
    if (canary === 'untold-removal' && isNarrow) return;
    const shards = ordered.flatMap(({ shard, persistent }) => [shard, persistent ? 1 : 0]);
    this.#addon.tellLayout(view, Float64Array.from(shards));
  }

  /** It may have ended while something was awaited. */
  #isAlive(): boolean {
    return this.waits.alive;
  }

  #stepNow(): WorldStep {
    if (this.#viewed) return this.#request;
    const phase = this.#statusNow()?.phase ?? 'waiting';
    return phase === 'waiting' ? this.#request : stepOfPhase[phase];
  }

  #statusNow(): GroupStatus | null {
    const group = this.#group;
    if (group === null || group.generation === this.#statusOf) return this.#status;
    this.#statusOf = group.generation;
    this.#status = group.status;
    return this.#status;
  }

  async #open(): Promise<void> {
    const { node, layout, changes, replaceAfterMs, log, seed, canary } = this.#place;
    const recordFiles = worldFiles(this.#addon, node, this.waits, canary === 'forgotten-views');
    const record = await readViewRecord(recordFiles, (bytes) => this.#addon.crc32c(bytes, 0));
    if (!this.#isAlive()) return;
    const clock = new WorldClock(this.#addon, node, this.waits);
    const core = new MemberCore(this.#ownAddon(), memberOptions(this.#place), log);
    core.listen({
      onView: (notice) => {
        this.#onNotice(notice);
      },
    });
    const messages = new WatchedMessages(core, clock, log);
    messages.stampsCalls = canary !== 'unstamped-calls';
    messages.onSent = (message) => {
      this.#onSent(message);
    };
    messages.onTaken = (message) => {
      this.#request = stepOfRequest[message.type] ?? this.#request;
      if (this.#request === 'asking' && message.type === 'admitted') this.#rest();
    };
    this.#group = new Group({
      core,
      messages,
      layout,
      members: layout.members.map((id) => ({ id, host: '127.0.0.1', port: id })),
      lookUp: (host) => Promise.resolve(host),
      dataFolder: recordFiles.folder,
      recordFiles,
      record,
      ringBudgetBytes: Math.max(...[layout, ...changes].map(ringBudget)),
      replaceAfterMs,
      maxClockSkewMs: worldSkewMs,
      // The group comes first; nobody asks before there is a catalog, in worlds that have one.
      tenants: {
        poolsIn: (subgroup) => this.#catalog?.tenants.poolsIn(subgroup) ?? [],
        catchUp: async () => this.#catalog?.tenants.catchUp(),
        close: async (closing) =>
          (await this.#catalog?.tenants.close(closing)) ?? this.#place.pools === null,
      },
      leftLogs: null,
      shardMemoryBytes: groupLimits.shardMemoryDefault,
      logCare: { scrubEveryMs: 20_000, compareEveryMs: 15_000, scrubBytesPerSecond: 1 << 24 },
      clock,
      random: new SeededRandom(seed),
      log,
    });
    const group = this.#group;
    await group.openShards();
    if (!this.#isAlive()) return;
    const isAlive = (): boolean => this.waits.alive;
    this.#catalog = await this.#openCatalog({ core, messages, group, clock }, isAlive);
    if (!this.#isAlive()) return;
    const shards =
      this.#catalog?.shards ??
      openClusterShards({
        core,
        messages,
        group,
        clock,
        // Of its own, so that the group's draws stay what they are.
        random: new SeededRandom(seed * 31 + 7),
      });
    const surveys = this.#place.surveys ? new SeededRandom(seed * 37 + 11) : null;
    this.#calls = new WorldCalls({
      addon: this.#addon,
      shards,
      node,
      canary,
      log,
      isAlive,
      surveys,
    });
    group.begin();
    this.#watch(shards, clock, isAlive);
  }

  async #openCatalog(
    parts: Pick<WorldCatalogOptions, 'core' | 'messages' | 'group' | 'clock'>,
    isAlive: () => boolean,
  ): Promise<WorldCatalog | null> {
    const { node, changes, seed, canary, log, pools } = this.#place;
    if (pools === null) return null;
    const subgroups = changes.flatMap(({ options }) => options);
    const extra = subgroups.find(({ name }) => name === 'extra')?.kind ?? null;
    const files = worldFiles(this.#addon, node, this.waits, false);
    const common = { addon: this.#addon, node, files, seed, canary, log, isAlive };
    return WorldCatalog.open({ ...parts, ...common, ledger: pools, extra });
  }

  #watch(shards: ClusterShards, clock: WorldClock, isAlive: () => boolean): void {
    const { node, layout, watched } = this.#place;
    if (watched === null) return;
    const tell = (text: string): void => {
      this.#addon.tellViolation(text);
    };
    const after = (delayMs: number, run: () => void): void => {
      clock.after(delayMs, run);
    };
    for (const { isVolatile, ...watcher } of watchersAt(layout, node)) {
      void watchShard({
        shards,
        histories: watched,
        watcher,
        isVolatile,
        isAlive,
        after,
        tell,
      });
    }
  }

  /** The addon, which is watched for what the process does. */
  #ownAddon(): WorldAddon {
    const { canary } = this.#place;
    // Over it, not copied from it: one shape for all processes.
    const own: Pick<WorldAddon, 'openMember' | 'viewFilled' | 'caughtUp' | 'scan'> = {
      // Small batches: a scan takes many.
      scan: (handle, options, token) => {
        const isOfPool = canary === 'unswept-pool' && options.prefix.startsWith('/');
        const prefix = isOfPool ? 'none' : options.prefix;
        return this.#addon.scan(handle, { ...options, prefix, batchBytes: scanBatchBytes }, token);
      },
      openMember: (options, onWake) => {
        this.#onWake = onWake;
        this.#handle = this.#addon.openMember(options, onWake);
        return this.#handle;
      },
      viewFilled: (handle, vote, ringSize) => {
        this.#rest();
        return this.#addon.viewFilled(handle, vote, ringSize);
      },
      caughtUp: (handle, shard, epoch, token) => {
        this.#place.counts.fetchedEnds++;
        return this.#addon.caughtUp(handle, shard, epoch, token);
      },
    };
    return Object.assign(Object.create(this.#addon) as WorldAddon, own);
  }

  #rest(): void {
    this.#request = this.#viewed ? 'idle' : 'waiting';
  }

  #onNotice(notice: number): void {
    const viewed = (this.#statusNow()?.view ?? 0) > 0;
    if (notice === viewNotices.fill) {
      this.#request = 'tailing';
    } else if (viewed !== this.#viewed) {
      this.#viewed = viewed;
      this.#rest();
    }
  }

  #onSent(message: GroupMessage): void {
    if (message.type === 'hello') this.#place.counts.note(this.#place.node, message);
    if (message.type === 'prepared') this.#request = 'ready';
    else if (message.type === 'admit') this.#request = 'asking';
    else if (!isBeside(message) && stepOfRequest[message.type] === undefined) this.#rest();
  }
}

class WatchedMessages extends PeerMessages {
  onSent: (message: GroupMessage) => void = () => undefined;
  onTaken: (message: GroupMessage) => void = () => undefined;

  /** False: a canary sends changes to other members without their session identities. */
  stampsCalls = true;

  override call(
    node: number,
    method: string,
    argument: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const given = this.stampsCalls || method !== 'shard.put' ? argument : unstamped(argument);
    return super.call(node, method, given, options);
  }

  override sendGroup(node: number, message: unknown): void {
    this.onSent(message as GroupMessage);
    super.sendGroup(node, message);
  }

  override onGroupMessage(handler: (from: number, message: unknown) => void): void {
    super.onGroupMessage((from, message) => {
      this.onTaken(message as GroupMessage);
      handler(from, message);
    });
  }
}

function unstamped(argument: unknown): unknown {
  const [shard, change, timeoutMs] = argument as [number, ShardChange, number];
  return [shard, { ...change, session: null }, timeoutMs];
}

/** At every other node also what is only delivered of persistent shards. */
export function watchersAt(
  layout: Layout,
  node: number,
): (Watcher & { readonly isVolatile: boolean })[] {
  const ordered = layout.shards.filter(({ delivery }) => delivery !== 'raw');
  return ordered.map(({ shard, persistent }) => {
    const frontier = persistent && node % 2 === 1 ? 'persisted' : 'delivered';
    return { node, shard, frontier, isVolatile: !persistent };
  });
}

/** The smallest rings: they are full now and then. */
function ringBudget(layout: Layout): number {
  const rings = layout.members.map((node) =>
    layout.heldBy(node).reduce((sum, { senders }) => sum + senders.length, 0),
  );
  return Math.max(1, ...rings) * groupLimits.ringSizeMin;
}

function memberOptions({
  node: nodeId,
  heartbeatMs,
}: MemberPlace): ConstructorParameters<typeof MemberCore>[1] {
  return {
    clusterId: new Uint8Array(16),
    secret: new Uint8Array(32),
    nodeId,
    listenHost: '127.0.0.1',
    listenPort: nodeId,
    transport: 0,
    dataFolder: 'data',
    door: null,
    spinMicros: 0,
    heartbeatMs,
    silenceMs: 1200,
  };
}
