/**
 * The composition root of a member: the only place where the real clock, disk and network are made.
 */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import {
  type Clock,
  createLogger,
  FreshetError,
  type Frozen,
  type Logger,
  logLevels,
  parseConfig,
  plainHost,
  SystemClock,
  SystemRandom,
} from './base/mod.ts';
import { loadAddon, type NativeAddon, transportKinds, transportNames } from './bridge/mod.ts';
import {
  type DataFolder,
  dataShardFolders,
  folderFiles,
  Group,
  type GroupOptions,
  groupLimits,
  Layout,
  MemberCore,
  openDataFolder,
  PeerMessages,
  readViewRecord,
  type Tenants,
} from './group/mod.ts';
import { clusterIdentity } from './cluster-identity.ts';
import { type ConfiguredLayout, configuredLayout, layoutSettings } from './configured-layout.ts';
import { listenAddress, type LookUp, plainMembers, systemLookUp } from './member-addresses.ts';
import { MemberStore, openCatalogDisk } from './store/mod.ts';

export const MemberConfigSchema = Type.Object({
  cluster: Type.Object({
    name: Type.String({ minLength: 1, default: 'freshet' }),
    /** Shared by all members; proves that one belongs. */
    secret: Type.String({ minLength: 1, default: 'freshet-on-loopback' }),
    /** How members reach each other, alike at all; `freshet doctor` says what is here for them. */
    transport: Type.Union(
      transportNames.map((name) => Type.Literal(name)),
      { default: 'tcp' },
    ),
  }),
  /** Which of `members` this is. */
  node: Type.Integer({ minimum: 1 }),
  members: Type.Array(
    Type.Object({
      id: Type.Integer({ minimum: 1 }),
      host: Type.String({ default: '127.0.0.1' }),
      port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    }),
    { minItems: 1 },
  ),
  dataFolder: Type.String({ minLength: 1 }),
  ...layoutSettings,
  memory: Type.Object(
    {
      /** All rings of the member together. Alike at all members. */
      ringBudgetBytes: Type.Integer({
        minimum: groupLimits.ringSizeMin,
        default: groupLimits.ringBudgetDefault,
        unit: 'bytes',
      }),
      /** Resident log of each shard. */
      shardBytes: Type.Integer({
        minimum: 64 * 1024 * 1024,
        default: groupLimits.shardMemoryDefault,
        unit: 'bytes',
      }),
    },
    { default: {} },
  ),
  /** Care for the logs on disk. 0: only when asked (`freshet verify`). */
  logs: Type.Object(
    {
      /** Every log is read again and its checksums looked at. */
      scrubHours: Type.Number({ minimum: 0, maximum: 500, default: 24, unit: 'hours' }),
      /** What such a reading takes of the disk at most. */
      scrubBytesPerSecond: Type.Integer({
        minimum: 64 * 1024,
        default: 16 * 1024 * 1024,
        unit: 'bytes per second',
      }),
      /** Members compare what they applied. */
      compareMinutes: Type.Number({ minimum: 0, maximum: 10_000, default: 10, unit: 'minutes' }),
      /** How long the log of a shard that a member left stays on its disk; null: for ever. */
      keepLeftHours: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
        default: 24,
        unit: 'hours',
      }),
    },
    { default: {} },
  ),
  agent: Type.Object(
    {
      /** Busy polling before sleeping; null: from the number of cores and members on this host. */
      spinMicros: Type.Union([Type.Null(), Type.Integer({ minimum: 0, maximum: 1000 })], {
        default: null,
      }),
      heartbeatMs: Type.Integer({ minimum: 5, maximum: 10_000, default: 50, unit: 'ms' }),
      silenceMs: Type.Integer({ minimum: 50, maximum: 600_000, default: 1200, unit: 'ms' }),
    },
    { default: {} },
  ),
  /** Of members' clocks; of a time that is asked for, and this member's clock. */
  maxClockSkewMs: Type.Integer({ minimum: 10, maximum: 3_600_000, default: 500, unit: 'ms' }),
  logLevel: Type.Union(
    logLevels.map((level) => Type.Literal(level)),
    { default: 'info' },
  ),
});

export type MemberConfig = Frozen<Static<typeof MemberConfigSchema>>;

/** What a running member offers to what is built on top: lambdas, doors, a user's program. */
export interface Member {
  readonly config: MemberConfig;
  readonly nodeId: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly folder: DataFolder;
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly group: Group;
  readonly store: MemberStore;
  /** Resolves once every shard of this member runs; rejects TIMEOUT, saying whom it waits for. */
  whenRunning(timeoutMs?: number): Promise<void>;
  /** Stops parts in reverse order, then threads; everything waiting is rejected. Idempotent. */
  close(): Promise<void>;
}

/** Something that lives with a member: the lambda runtime, a gateway. */
export type MemberPart = (member: Member) => Promise<{ close(): Promise<void> }>;

export interface StartOptions {
  /** Started in order once the store is open; the shards may not run yet. */
  readonly parts?: readonly MemberPart[];
  /** What the configuration came from, to be named in errors. */
  readonly source?: string;
  readonly log?: Logger;
  readonly addon?: NativeAddon;
  /** How host names of members are looked up, if not as this machine does. */
  readonly lookUp?: LookUp;
  /** Where clients reach the native threads; port 0: any free one. Default: nowhere. */
  readonly nativeDoor?: NativeDoorPlace | null;
}

export interface NativeDoorPlace {
  readonly host: string;
  readonly port: number;
}

const defaultWaitMs = 60_000;
const aliveMs = 60_000;
const hourMs = 3_600_000;

/** Starts a member in this process. Rejects with a coded error that says what to mend. */
export async function startMember(config: unknown, options: StartOptions = {}): Promise<Member> {
  const parsed = parseConfig(MemberConfigSchema, config, {
    source: options.source ?? 'the configuration of the member',
  });
  const undo: (() => Promise<void>)[] = [];
  const close = closeOnce(undo);
  try {
    const member = await compose(parsed, options, undo, close);
    member.group.begin();
    for (const part of options.parts ?? []) {
      const running = await part(member);
      undo.push(() => running.close());
    }
    return member;
  } catch (caught) {
    await close();
    throw caught;
  }
}

/** Makes everything of a member but its parts; `undo` gets how to end what was made. */
async function compose(
  config: MemberConfig,
  options: StartOptions,
  undo: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<Member> {
  const { node, cluster, memory, logs } = config;
  const members = plainMembers(config.members);
  const configured = await configuredLayout(config);
  const ids = members.map(({ id }) => id);
  const layout = new Layout(ids, configured.subgroups, configured.exclusive);
  // Before the folder is opened, which makes it this node's for good.
  const me = placeOf(node, members);
  const lookUp = options.lookUp ?? systemLookUp;
  const listenHost = await listenAddress(me.host, lookUp);
  const log = (options.log ?? createLogger({ level: config.logLevel })).child({ member: node });
  tellLayout(configured, log);
  const folder = await openDataFolder(config.dataFolder, cluster.name, node);
  const addon = options.addon ?? loadAddon();
  const recordFiles = folderFiles(folder.path);
  const record = await readViewRecord(recordFiles, (bytes) => addon.crc32c(bytes, 0));
  const [clock, random] = [new SystemClock(), new SystemRandom()];
  const place = { ...me, host: listenHost };
  const door = await listeningDoor(options.nativeDoor ?? null, lookUp);
  const core = openCore(config, { place, door, folder }, addon, log);
  // Neither native threads nor the clock's timers keep a process alive; a running member does.
  const alive = setInterval(() => undefined, aliveMs);
  undo.push(() => {
    clearInterval(alive);
    core.close();
    return Promise.resolve();
  });
  const messages = new PeerMessages(core, clock, log);
  undo.push(() => {
    messages.close();
    return Promise.resolve();
  });
  const above: { store: MemberStore | null } = { store: null };
  const group = new Group({
    core,
    messages,
    layout,
    members,
    lookUp,
    dataFolder: folder.path,
    recordFiles,
    record,
    ringBudgetBytes: memory.ringBudgetBytes,
    shardMemoryBytes: memory.shardBytes,
    logCare: logCareOf(logs),
    leftLogs: leftLogsOf(logs, folder),
    replaceAfterMs: config.layout.replaceAfterMs,
    maxClockSkewMs: config.maxClockSkewMs,
    tenants: tenantsOf(above),
    clock,
    random,
    log,
  });
  undo.push(() => group.close());
  await group.openShards();
  const common = { core, messages, group, clock, log };
  const catalogDisk = await openCatalogDisk(path.join(folder.path, 'catalog'));
  const storing = { catalogDisk, maxClockSkewUs: config.maxClockSkewMs * 1000 };
  const store = await MemberStore.open({ ...common, ...storing, random });
  above.store = store;
  undo.push(() => store.close());
  undo.push(() => group.leave());
  const whenRunning = (timeoutMs = defaultWaitMs): Promise<void> => group.whenRunning(timeoutMs);
  return { ...common, config, nodeId: node, folder, store, whenRunning, close };
}

/** The group comes first, and the store knows what lives in subgroups; nobody asks before. */
function tenantsOf(above: { readonly store: MemberStore | null }): Tenants {
  return {
    poolsIn: (subgroup) => above.store?.tenants.poolsIn(subgroup) ?? [],
    catchUp: async () => above.store?.tenants.catchUp(),
    close: async (closing) => (await above.store?.tenants.close(closing)) ?? false,
  };
}

function logCareOf(logs: MemberConfig['logs']): GroupOptions['logCare'] {
  return {
    scrubEveryMs: logs.scrubHours * hourMs,
    compareEveryMs: logs.compareMinutes * 60_000,
    scrubBytesPerSecond: logs.scrubBytesPerSecond,
  };
}

function leftLogsOf(
  { keepLeftHours }: MemberConfig['logs'],
  { path }: DataFolder,
): GroupOptions['leftLogs'] {
  if (keepLeftHours === null) return null;
  return { folders: dataShardFolders(path), keepMs: keepLeftHours * hourMs };
}

function tellLayout({ notes }: ConfiguredLayout, log: Logger): void {
  for (const note of notes) {
    log.info({ note }, 'the layout of Cascade is read');
  }
}

/** At a numeric host, as the native side takes it. */
async function listeningDoor(
  door: NativeDoorPlace | null,
  lookUp: LookUp,
): Promise<NativeDoorPlace | null> {
  if (door === null) return null;
  return { ...door, host: await listenAddress(plainHost(door.host), lookUp) };
}

type MemberPlace = MemberConfig['members'][number];

function placeOf(node: number, members: readonly MemberPlace[]): MemberPlace {
  const me = members.find(({ id }) => id === node);
  if (me !== undefined) return me;
  const ids = members.map(({ id }) => String(id)).join(', ');
  throw new FreshetError('INVALID_CONFIG', `node ${String(node)} is not among members`, {
    mend: `Set node to one of ${ids}, or add it to members`,
  });
}

function openCore(
  config: MemberConfig,
  where: {
    readonly place: MemberPlace;
    readonly door: NativeDoorPlace | null;
    readonly folder: DataFolder;
  },
  addon: NativeAddon,
  log: Logger,
): MemberCore {
  const { id: clusterId, secret } = clusterIdentity(config.cluster);
  const { place, door, folder } = where;
  const options = {
    clusterId,
    secret,
    nodeId: config.node,
    listenHost: place.host,
    listenPort: place.port,
    transport: transportKinds[config.cluster.transport],
    door,
    dataFolder: folder.path,
    spinMicros: config.agent.spinMicros ?? chooseSpin(config),
    heartbeatMs: config.agent.heartbeatMs,
    silenceMs: config.agent.silenceMs,
  };
  return new MemberCore(addon, options, log);
}

/** Members that share cores must not spin in each other's way. */
function chooseSpin({ node, members }: MemberConfig): number {
  const host = members.find(({ id }) => id === node)?.host;
  const here = members.filter((member) => member.host === host).length;
  return here >= availableParallelism() ? 0 : 50;
}

function closeOnce(undo: (() => Promise<void>)[]): () => Promise<void> {
  let closing: Promise<void> | null = null;
  const run = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
      await step();
    }
  };
  return () => (closing ??= run());
}
