/** What a member serves: its lambdas and its doors, as one part of it. */
import path from 'node:path';
import { isFreshetError, SystemRandom, toFreshetError } from './base/mod.ts';
import { frontierColumns, frontierWidth } from './bridge/mod.ts';
import {
  type Backend,
  type MemberSample,
  type ShardSample,
  startGrpcServer,
  startHttpServer,
} from './gateway/mod.ts';
import { LambdaRuntime, type Position, type StageReach, workerEntry } from './lambda/mod.ts';
import { layoutReport } from './cluster-layout.ts';
import { MemberDoor } from './member-door.ts';
import { NativeDoors } from './native-doors.ts';
import type { Member, MemberPart, NativeDoorPlace } from './node.ts';

export interface ServingOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Of the door to the native threads, which opens with the member: see `nativeDoorOf`. */
  readonly nativePort: number;
  readonly allowedHosts: readonly string[];
  /** Built dashboard; null: none is served. */
  readonly dashboardFolder: string | null;
  /** A busy port means the next free one instead of an error. */
  readonly searchPorts: boolean;
}

/** Where a member's doors are. */
export interface ServingPorts {
  readonly grpc: number;
  readonly http: number;
  readonly native: number;
}

/** The native door of a member that serves, for `startMember`. */
export function nativeDoorOf({ host, nativePort }: ServingOptions): NativeDoorPlace {
  return { host, port: nativePort };
}

/** Ports tried after a busy one. */
const portSearchMax = 100;

const runsCall = 'lambda.runs';
const cursorsCall = 'lambda.cursors';
const reachesCall = 'lambda.reaches';

/** Starts lambdas and doors with a member. `onOpen` tells where the doors are. */
export function servingPart(
  options: ServingOptions,
  onOpen: (ports: ServingPorts) => void,
): MemberPart {
  return async (member) => {
    const ports: Record<string, number> = {};
    const random = new SystemRandom();
    const nativeDoors = new NativeDoors(member, options.host, random);
    const door = new MemberDoor(member, (node) => {
      const native = nativeDoors.addressOf(node);
      const mine = node === member.nodeId ? ports : {};
      return native === null ? mine : { ...mine, native: native.port };
    });
    const entry = workerEntry();
    const lambdas = await LambdaRuntime.open({
      node: member.nodeId,
      source: member.store.arrivals,
      catalog: member.store.catalog,
      door,
      clock: member.clock,
      random,
      log: member.log,
      folder: path.join(member.folder.path, 'lambdas'),
      workerEntry: entry.path,
      cursorsElsewhere: async (shard) => cursorsElsewhere(member, shard),
      tellReaches: (shard, members, reaches) => {
        tellReaches(member, shard, members, reaches);
      },
      isHeld: (shard) => member.group.held.some((one) => one.shard === shard),
      whenOthersRun: async (pipeline, deployedAt) => othersRun(member, pipeline, deployedAt),
    });
    answerMembers(member, lambdas);
    member.store.onTrigger((event) => {
      lambdas.onTrigger({
        ...event,
        kind: 'trigger',
        version: null,
        epoch: null,
        bytes: event.value,
      });
    });
    followViews(member, lambdas);
    const backend = backendOf(member, door, lambdas, nativeDoors);
    const doors: Door[] = [];
    const close = async () => {
      member.store.onTrigger(null);
      nativeDoors.close();
      await Promise.all(doors.map(async (one) => one.close()));
      await lambdas.close();
      entry.dispose();
    };
    try {
      const native = nativeDoors.addressOf(member.nodeId)?.port ?? 0;
      const open = { ...(await openDoors(backend, options, doors)), native };
      Object.assign(ports, open);
      onOpen(open);
    } catch (caught) {
      await close();
      throw caught;
    }
    return { close };
  };
}

function backendOf(
  member: Member,
  door: MemberDoor,
  lambdas: LambdaRuntime,
  nativeDoors: NativeDoors,
): Backend {
  return {
    door,
    putEach: (requests, sink) => {
      member.store.objects.putEach(requests, sink);
    },
    lambdas,
    sample: () => sampleOf(member, lambdas),
    verify: (quick) => member.group.care.verify(!quick),
    layout: async () => layoutReport(member),
    moveShard: async (move) => member.group.move(move),
    changeLayout: async (request) => member.group.changeLayout(request),
    nativeDoor: () => nativeDoors.info(),
    log: member.log,
  };
}

interface Door {
  close(): Promise<void>;
}

/** Each one that opens is put to `doors`, whether the next one opens or not. */
async function openDoors(
  backend: Backend,
  options: ServingOptions,
  doors: Door[],
): Promise<Omit<ServingPorts, 'native'>> {
  const { host, allowedHosts, dashboardFolder, grpcPort, httpPort } = options;
  const grpc = await searching(options, grpcPort, async (port) =>
    startGrpcServer(backend, { host, port }),
  );
  doors.push(grpc);
  const http = await searching(options, httpPort, async (port) =>
    startHttpServer(backend, { host, port, allowedHosts, dashboardFolder }),
  );
  doors.push(http);
  return { grpc: grpc.port, http: http.port };
}

/** What members ask and tell each other of their lambdas. */
function answerMembers({ messages }: Member, lambdas: LambdaRuntime): void {
  messages.handle(runsCall, async (_from, argument) => {
    const [pipeline, deployedAt] = argument as [string, number];
    await lambdas.whenRuns(pipeline, deployedAt);
    return null;
  });
  messages.handle(cursorsCall, (from, shard) =>
    Promise.resolve(lambdas.cursorsIn(Number(shard), from)),
  );
  messages.handle(reachesCall, (from, argument) => {
    const [shard, members, reaches] = argument as [number, number[], StageReach[]];
    lambdas.noteReaches(from, shard, members, reaches);
    return Promise.resolve(null);
  });
}

/** Members that do not answer take the pipeline up from the catalog when they can. */
async function othersRun(member: Member, pipeline: string, deployedAt: number): Promise<void> {
  const { messages, nodeId, log } = member;
  const others = [...messages.up].filter((node) => node !== nodeId);
  await Promise.all(
    others.map(async (node) => {
      try {
        await messages.call(node, runsCall, [pipeline, deployedAt], {
          timeoutMs: null,
          signal: null,
        });
      } catch (error) {
        log.warn({ node, pipeline, error: toFreshetError(error).toJSON() }, 'deploy not seen yet');
      }
    }),
  );
}

/** Who does not hear of it looks at more than it has to, should this member be lost. */
function tellReaches(
  { messages, nodeId }: Member,
  shard: number,
  members: readonly number[],
  reaches: readonly StageReach[],
): void {
  for (const node of members.filter((one) => one !== nodeId && messages.up.has(one))) {
    const call = { timeoutMs: null, signal: null };
    messages.call(node, reachesCall, [shard, members, reaches], call).catch(() => undefined);
  }
}

/** Where a member goes on that is new in a shard: nothing beyond was left over by a lost one. */
async function cursorsElsewhere(
  { messages, group, nodeId, log }: Member,
  shard: number,
): Promise<ReadonlyMap<string, Position>> {
  const least = new Map<string, Position>();
  const others = group.holders(shard).filter((node) => node !== nodeId && messages.up.has(node));
  await Promise.all(
    others.map(async (node) => {
      try {
        const call = { timeoutMs: null, signal: null };
        const told = (await messages.call(node, cursorsCall, shard, call)) as [string, Position][];
        for (const [stage, position] of told) {
          const before = least.get(stage);
          if (before === undefined || position.version < before.version) least.set(stage, position);
        }
      } catch (error) {
        log.warn({ node, shard, error: toFreshetError(error).toJSON() }, 'no cursors of a member');
      }
    }),
  );
  return least;
}

/**
 * Lambdas begin once the shards run, and take up their shards anew after every change of the view.
 */
function followViews(member: Member, lambdas: LambdaRuntime): void {
  const follow = async () => {
    let begun = false;
    let seen = 0;
    for await (const { running, number } of member.group.watchView()) {
      if (!running) continue;
      if (!begun) {
        begun = true;
        await lambdas.begin();
      } else if (number !== seen) {
        await lambdas.onView();
      }
      seen = number;
    }
  };
  follow().catch((error: unknown) => {
    if (isFreshetError(error, 'CLOSED')) return;
    member.log.error(
      { error: toFreshetError(error).toJSON() },
      'lambdas stopped following the view',
    );
  });
}

async function searching<T>(
  { searchPorts }: ServingOptions,
  first: number,
  open: (port: number) => Promise<T>,
): Promise<T> {
  const last = searchPorts && first > 0 ? Math.min(first + portSearchMax, 65_535) : first;
  for (let port = first; ; port++) {
    try {
      return await open(port);
    } catch (error) {
      if (!isFreshetError(error, 'ADDRESS_IN_USE') || port >= last) throw error;
    }
  }
}

function sampleOf(member: Member, lambdas: LambdaRuntime): MemberSample {
  const { core, group, clock, nodeId } = member;
  return {
    node: nodeId,
    view: group.view.number,
    at: clock.wallUs() / 1000,
    counters: core.addon.counters(core.handle),
    shards: group.held.map((layout): ShardSample => {
      const out = new Float64Array(frontierWidth);
      core.addon.frontiers(core.handle, layout.shard, out);
      const stopped = out[frontierColumns.stopped] ?? 0;
      const observedLagMs = group.observedLagMs(layout.shard);
      return {
        shard: layout.shard,
        subgroup: layout.subgroup,
        epoch: out[frontierColumns.epoch] ?? 0,
        deliveredVersion: out[frontierColumns.deliveredVersion] ?? 0,
        persistedVersion: out[frontierColumns.persistedVersion] ?? 0,
        stopped: stopped === 0 || observedLagMs !== null ? null : core.statusName(stopped),
        observedLagMs,
      };
    }),
    waits: group.lags.map(({ shard, node, kind, waitedMs }) => ({ shard, node, kind, waitedMs })),
    logs: group.care.counts,
    clocks: group.clocks,
    pipelines: lambdas.pipelines(),
  };
}
