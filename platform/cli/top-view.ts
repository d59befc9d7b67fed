/** What `freshet top` shows, from two samples of a member; pure, so that it can be tested. */
import { agentWork, counterOfWork } from '../base/mod.ts';

export interface TopStage {
  readonly name: string;
  readonly prefix: string;
  readonly lambda: string;
  readonly waiting: number;
  readonly inFlight: number;
  readonly restarts: number;
  readonly succeeded: number;
  readonly failed: number;
}

export interface TopSample {
  readonly node: number;
  readonly view: number;
  /** ms since 1970. */
  readonly at: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly shards: readonly {
    readonly shard: number;
    readonly subgroup: string;
    readonly epoch: number;
    readonly deliveredVersion: number;
    readonly persistedVersion: number;
    readonly stopped: string | null;
    readonly observedLagMs: number | null;
  }[];
  readonly waits: readonly {
    readonly shard: number;
    readonly node: number;
    readonly kind: string;
    readonly waitedMs: number;
  }[];
  readonly stages: readonly TopStage[];
}

export interface TopMember {
  readonly nodeId: number;
  readonly host: string;
  readonly up: boolean;
}

/** The last results to show, newest first. */
export interface TopResult {
  readonly key: string;
  readonly text: string;
}

/** Lines of the view. Rates are those between the samples. */
export function topLines(
  before: TopSample,
  now: TopSample,
  members: readonly TopMember[],
  waitingFor: string | null,
  results: readonly TopResult[],
): string[] {
  const seconds = Math.max(0.001, (now.at - before.at) / 1000);
  return [
    `view ${String(now.view)}  ${waitingFor ?? 'answering'}`,
    ...members.map(
      ({ nodeId, host, up }) => `  member ${String(nodeId)}  ${host}  ${up ? 'up' : 'DOWN'}`,
    ),
    ...slowLines(now),
    agentLine(before, now, seconds),
    '',
    'subgroup      shards  versions/s    newest  stopped',
    ...subgroupLines(before, now, seconds),
    '',
    'lambda                          events/s   waiting  running   done  failed  restarts',
    ...now.stages.map((stage) => stageLine(before, stage, seconds)),
    '',
    'last results',
    // Bytes that a writer chose do not steer the terminal.
    ...results.map(({ key, text }) => `  ${key}  ${text.replaceAll(/\p{Cc}/gu, '·')}`),
  ];
}

function slowLines({ shards, waits }: TopSample): string[] {
  const waited = waits.map(({ shard, node, kind, waitedMs }) => {
    const what = `waited ${String(waitedMs)} ms until it had ${kind}`;
    return `  member ${String(node)} is slow in shard ${String(shard)}: ${what}`;
  });
  const observed = shards.flatMap(({ shard, observedLagMs: lag }) =>
    lag === null ? [] : [`  observes shard ${String(shard)}, up to ${String(lag)} ms behind`],
  );
  return [...waited, ...observed];
}

/** Where the time of this member's agent went, and what it copied. */
function agentLine(before: TopSample, now: TopSample, seconds: number): string {
  const grown = (name: string): number =>
    Math.max(0, (now.counters[name] ?? 0) - (before.counters[name] ?? 0));
  const spent = agentWork.map((work) => ({ work, nanos: grown(counterOfWork(work)) }));
  const all = Math.max(
    1,
    spent.reduce((sum, { nanos }) => sum + nanos, 0),
  );
  const shares = spent.map(({ work, nanos }) => `${work} ${((100 * nanos) / all).toFixed(1)} %`);
  const copied = (grown('copiedBytes') / seconds / 2 ** 20).toFixed(1);
  return `  agent of member ${String(now.node)}  ${shares.join('  ')}  copied ${copied} MiB/s`;
}

function subgroupLines(before: TopSample, now: TopSample, seconds: number): string[] {
  const old = new Map(before.shards.map((shard) => [shard.shard, shard.deliveredVersion]));
  const groups = new Map<
    string,
    { shards: number; delta: number; newest: number; stopped: number }
  >();
  for (const { shard, subgroup, deliveredVersion, stopped } of now.shards) {
    const group = groups.get(subgroup) ?? { shards: 0, delta: 0, newest: 0, stopped: 0 };
    group.shards++;
    group.delta += deliveredVersion - (old.get(shard) ?? deliveredVersion);
    group.newest += deliveredVersion;
    if (stopped !== null) group.stopped++;
    groups.set(subgroup, group);
  }
  return [...groups].map(([name, { shards, delta, newest, stopped }]) =>
    [
      name.padEnd(12),
      String(shards).padStart(7),
      (delta / seconds).toFixed(1).padStart(11),
      String(newest).padStart(9),
      String(stopped).padStart(8),
    ].join(' '),
  );
}

function stageLine(before: TopSample, stage: TopStage, seconds: number): string {
  const old = before.stages.find(({ name }) => name === stage.name)?.succeeded ?? stage.succeeded;
  return [
    `${stage.prefix} ${stage.lambda}`.padEnd(32),
    ((stage.succeeded - old) / seconds).toFixed(1).padStart(8),
    String(stage.waiting).padStart(9),
    String(stage.inFlight).padStart(8),
    String(stage.succeeded).padStart(6),
    String(stage.failed).padStart(7),
    String(stage.restarts).padStart(9),
  ].join(' ');
}
