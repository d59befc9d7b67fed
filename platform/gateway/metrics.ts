import { agentWork, copyCounters, counterOfWork } from '../base/mod.ts';
import { delayBucketsMicros, type Stage } from '../lambda/mod.ts';
import type { Backend, ClockSample, LogSample, ShardSample, WaitSample } from './backend.ts';

type Labels = Readonly<Record<string, string | number>>;

/**
 * The member's numbers in Prometheus text format 0.0.4, made when asked: the data path counts in
 * native code, so nothing is kept twice.
 */
export function metricsText({ sample, lambdas }: Backend): string {
  const { node, view, counters, shards, waits, logs, clocks } = sample();
  const text = new MetricsText({ member: node });
  text.add('freshet_view', 'gauge', 'Number of the installed view', [[{}, view]]);
  addWork(text, counters);
  const told = new Set<string>([...agentWork.map(counterOfWork), ...Object.values(copyCounters)]);
  for (const [name, value] of Object.entries(counters)) {
    if (told.has(name)) continue;
    text.add(`freshet_${snakeCase(name)}_total`, 'counter', `Native counter ${name}`, [
      [{}, value],
    ]);
  }
  const perShard = (name: string, help: string, of: (shard: ShardSample) => number) => {
    text.add(
      name,
      'gauge',
      help,
      shards.map((shard) => [{ shard: shard.shard, subgroup: shard.subgroup }, of(shard)]),
    );
  };
  perShard('freshet_shard_epoch', 'Epoch of the shard', ({ epoch }) => epoch);
  perShard(
    'freshet_shard_delivered_version',
    'Newest version applied here',
    (s) => s.deliveredVersion,
  );
  perShard(
    'freshet_shard_persisted_version',
    'Newest version on every disk',
    (s) => s.persistedVersion,
  );
  perShard('freshet_shard_stopped', '1 while the shard does not answer', (s) =>
    s.stopped === null ? 0 : 1,
  );
  perShard('freshet_shard_observed', '1 while the member, being slow, only observes it', (s) =>
    s.observedLagMs === null ? 0 : 1,
  );
  perShard(
    'freshet_shard_observed_lag_seconds',
    'How old what an observer has may be',
    (s) => (s.observedLagMs ?? 0) / 1000,
  );
  addWaits(text, waits);
  addLogs(text, logs);
  addClocks(text, clocks);
  addStages(text, lambdas.stages());
  return text.toString();
}

function addWork(text: MetricsText, counters: Readonly<Record<string, number>>): void {
  text.add(
    'freshet_agent_seconds_total',
    'counter',
    "Time of the agent's thread, by what it was at",
    agentWork.map((work) => [{ work }, (counters[counterOfWork(work)] ?? 0) / 1e9]),
  );
  text.add(
    'freshet_copied_bytes_total',
    'counter',
    'Records and values copied from one memory to another, by the thread that did',
    Object.entries(copyCounters).map(([by, name]) => [{ by }, counters[name] ?? 0]),
  );
}

function addWaits(text: MetricsText, waits: readonly WaitSample[]): void {
  text.add(
    'freshet_shard_wait_seconds',
    'gauge',
    'How long this member waited for a slow one, of late',
    waits.map(({ shard, node, kind, waitedMs }) => [{ shard, slow: node, kind }, waitedMs / 1000]),
  );
}

function addClocks(text: MetricsText, clocks: ClockSample): void {
  const { offsets, stepUs, heldBackUs, timeAheadUs } = clocks;
  text.add(
    'freshet_clock_offset_seconds',
    'gauge',
    "How far another member's clock is ahead of this one's",
    offsets.map(({ node, aheadUs }) => [{ other: node }, aheadUs / 1e6]),
  );
  const one = (name: string, help: string, us: number) => {
    text.add(name, 'gauge', help, [[{}, us / 1e6]]);
  };
  one('freshet_clock_step_seconds', "The machine's clock ahead of the member's", stepUs);
  one('freshet_clock_held_back_seconds', 'Held back, being ahead of most', heldBackUs);
  one('freshet_clock_time_ahead_seconds', 'The newest time ahead of the clock', timeAheadUs);
}

function addLogs(text: MetricsText, logs: LogSample): void {
  const { damaged, repaired, scrubbedBytes, scrubPasses, differences } = logs;
  const one = (name: string, type: 'counter' | 'gauge', help: string, value: number) => {
    text.add(name, type, help, [[{}, value]]);
  };
  one('freshet_log_damaged_segments', 'gauge', 'Segments damaged and not mended yet', damaged);
  one('freshet_log_repaired_total', 'counter', 'Damaged places mended', repaired);
  one('freshet_log_scrubbed_bytes_total', 'counter', 'Bytes read by scrubs', scrubbedBytes);
  one('freshet_log_scrubs_total', 'counter', 'Scrubs of all logs', scrubPasses);
  one('freshet_history_differences_total', 'counter', 'Histories found to differ', differences);
}

function addStages(text: MetricsText, stages: readonly Stage[]): void {
  const perStage = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    of: (stage: Stage) => number,
  ) => {
    text.add(
      `freshet_lambda_${name}`,
      type,
      help,
      stages.map((stage) => [labelsOf(stage), of(stage)]),
    );
  };
  perStage('arrived_total', 'counter', 'Events taken in', ({ metrics }) => metrics.arrived);
  perStage('succeeded_total', 'counter', 'Events done', ({ metrics }) => metrics.succeeded);
  perStage(
    'failed_total',
    'counter',
    'Events given up as dead letters',
    ({ metrics }) => metrics.failed,
  );
  perStage(
    'thrown_total',
    'counter',
    'Runs that threw or ran out of time',
    ({ metrics }) => metrics.thrown,
  );
  perStage(
    'refused_total',
    'counter',
    'Triggers refused for want of room',
    ({ metrics }) => metrics.refused,
  );
  perStage(
    'skipped_total',
    'counter',
    'Versions pruned before they ran',
    ({ metrics }) => metrics.skipped,
  );
  perStage('restarts_total', 'counter', 'Workers started again', ({ restarts }) => restarts);
  perStage('waiting', 'gauge', 'Events that wait', ({ waiting }) => waiting);
  perStage('in_flight', 'gauge', 'Events that run', ({ inFlight }) => inFlight);
  text.histogram(
    'freshet_lambda_start_delay_seconds',
    "From the input's commit to the lambda's first line",
    delayBucketsMicros.map((micros) => micros / 1e6),
    stages.map((stage) => [labelsOf(stage), stage.metrics.startDelay]),
  );
}

function labelsOf({ node }: Stage): Labels {
  return { lambda: node.lambda, prefix: node.prefix };
}

class MetricsText {
  readonly #common: Labels;
  readonly #lines: string[] = [];

  constructor(common: Labels) {
    this.#common = common;
  }

  add(
    name: string,
    type: string,
    help: string,
    values: readonly (readonly [Labels, number])[],
  ): void {
    this.#head(name, type, help);
    for (const [labels, value] of values) this.#value(name, labels, value);
  }

  /** `counts` per bucket, the last above every bound; Prometheus wants them summed up. */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    values: readonly (readonly [Labels, readonly number[]])[],
  ): void {
    this.#head(name, 'histogram', help);
    for (const [labels, counts] of values) {
      let total = 0;
      counts.forEach((count, i) => {
        total += count;
        this.#value(`${name}_bucket`, { ...labels, le: bounds[i] ?? '+Inf' }, total);
      });
      this.#value(`${name}_count`, labels, total);
    }
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  #head(name: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  #value(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries({ ...this.#common, ...labels }).map(
      ([label, text]) =>
        `${label}="${String(text).replaceAll(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
    );
    this.#lines.push(`${name}{${pairs.join(',')}} ${String(value)}`);
  }
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
