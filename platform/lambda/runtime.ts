import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  FreshetError,
  isFreshetError,
  type Logger,
  type Random,
  toFreshetError,
} from '../base/mod.ts';
import { Database, type Door } from '../client/mod.ts';
import type { Arrival, ArrivalSource, Position } from './arrivals.ts';
import { catalogKeys, deadLetterPool, type LambdaCatalog } from './catalog.ts';
import { CursorStore } from './cursor-store.ts';
import { DeadLetters } from './dead-letters.ts';
import { deployedForm, ensurePools, type PreparedPipeline } from './deploy.ts';
import { Emitter } from './emit.ts';
import type { DeployedPipeline, LambdaNode } from './pipeline.ts';
import { Reaches, type StageReach } from './reaches.ts';
import { Stage } from './stage.ts';
import { StartTurns } from './start-turns.ts';
import { WorkerHost, type WorkerLimits, workerLimits } from './worker-host.ts';

export interface RuntimeOptions {
  readonly node: number;
  readonly source: ArrivalSource;
  readonly catalog: LambdaCatalog;
  readonly door: Door;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** For bundles, assets and cursors. */
  readonly folder: string;
  /** JavaScript file of worker-main. */
  readonly workerEntry: string;
  readonly limits?: WorkerLimits;
  /** Where the other members of a shard are with it, by stage: the least of them. Never rejects. */
  readonly cursorsElsewhere: (shard: number) => Promise<ReadonlyMap<string, Position>>;
  /** Tells these members of a shard how far the stages of this one are with it. */
  readonly tellReaches: (
    shard: number,
    members: readonly number[],
    reaches: readonly StageReach[],
  ) => void;
  /** Does this member hold the shard, or will it when it is back? */
  readonly isHeld: (shard: number) => boolean;
  /** Resolves once the other members that are up run this deploy, or a later. Never rejects. */
  readonly whenOthersRun: (pipeline: string, deployedAt: number) => Promise<void>;
}

interface Running {
  readonly pipeline: DeployedPipeline;
  readonly stages: readonly Stage[];
}

const saveEveryMs = 200;
const takeUpTimeoutMs = 8000;
const workerNiceness = 5;
/** How long what is under way may take before its lambda is replaced; then it is run again. */
const drainMs = 3000;

/**
 * Purpose: keeps the stages of this member in step with the pipelines in the catalog.
 * Thread: the event loop's.
 * Invariants
 *  1. What a stage has not finished is not passed by its saved cursor.
 *  2. `setDispatched` of a shard never passes the slowest stage that reads it.
 *  3. Changes of the catalog are taken one after another, in the order they were applied.
 *  4. A trigger that was taken in is run by the lambda of that name and prefix, however often it is
 *     deployed meanwhile, or becomes a dead letter when there is none any more.
 */
export class LambdaRuntime {
  readonly #options: RuntimeOptions;
  readonly #cursors: CursorStore;
  readonly #deadLetters: DeadLetters;
  readonly #emitter: Emitter;
  readonly #turns: StartTurns;
  readonly #running = new Map<string, Running>();
  /** What each shard was last told to have been taken in. */
  readonly #dispatched = new Map<number, number>();
  readonly #reaches = new Reaches();
  /** What was told last of each shard. */
  readonly #told = new Map<number, string>();
  /** Wake after every change, and when this closes. */
  readonly #waiters: (() => void)[] = [];
  #changes: Promise<void> = Promise.resolve();
  #endWatch: (() => void) | null = null;
  #cancelSave: (() => void) | null = null;
  /** The pipelines of the catalog were taken up. */
  #begun = false;
  #closed = false;

  private constructor(options: RuntimeOptions, cursors: CursorStore) {
    this.#options = options;
    this.#cursors = cursors;
    const { door, node, clock, random, log } = options;
    this.#emitter = new Emitter(door, clock, random);
    this.#turns = new StartTurns(clock);
    this.#deadLetters = new DeadLetters(new Database(door), node, clock, log);
  }

  static async open(options: RuntimeOptions): Promise<LambdaRuntime> {
    await mkdir(join(options.folder, 'bundles'), { recursive: true });
    return new LambdaRuntime(options, await CursorStore.open(join(options.folder, 'cursors')));
  }

  /** Takes up the pipelines of the catalog and every change of them. Once the shards run. */
  async begin(): Promise<void> {
    const { catalog } = this.#options;
    this.#endWatch = catalog.onChange((key) => {
      if (key.startsWith(catalogKeys.pipelines)) this.#enqueue(key);
    });
    for (const key of await catalog.list(catalogKeys.pipelines)) this.#enqueue(key);
    await this.#changes;
    this.#begun = true;
  }

  /** Makes a pipeline the law: its code and files first, then its entry. */
  async deploy(prepared: PreparedPipeline): Promise<DeployedPipeline> {
    const { catalog, door, clock } = this.#options;
    await this.#ensureDeadLetterPool();
    const pools = await ensurePools(door, prepared);
    for (const [sha, code] of prepared.bundles)
      await this.#keep(`${catalogKeys.lambdas}${sha}`, code);
    for (const [sha, file] of prepared.files) await this.#keep(`${catalogKeys.assets}${sha}`, file);
    const starts: Record<string, Position> = {};
    for (const { name } of pools) {
      for (const { shard, epoch, delivered } of await door.frontier(name)) {
        starts[String(shard)] = { epoch, version: delivered };
      }
    }
    const deployed = deployedForm(prepared, starts, clock.wallUs());
    const key = `${catalogKeys.pipelines}${prepared.name}`;
    await catalog.put(key, new TextEncoder().encode(JSON.stringify(deployed)));
    const { name, deployedAt } = deployed;
    // Whoever deployed may send the next moment, to any member.
    await this.whenRuns(name, deployedAt);
    await this.#options.whenOthersRun(name, deployedAt);
    return deployed;
  }

  /**
   * Resolves once this member runs the deploy of that time (µs since the Unix epoch), or a later.
   * Rejects TIMEOUT when it cannot take it up; its log says why.
   */
  async whenRuns(name: string, deployedAt: number): Promise<void> {
    const { clock, node } = this.#options;
    const deadlineMs = clock.monotonicMs() + takeUpTimeoutMs;
    const cancel = clock.after(takeUpTimeoutMs, () => {
      this.#awake();
    });
    while (!this.#closed && (this.#running.get(name)?.pipeline.deployedAt ?? 0) < deployedAt) {
      if (clock.monotonicMs() >= deadlineMs) {
        const text = `Member ${String(node)} did not take up the pipeline '${name}'`;
        throw new FreshetError('TIMEOUT', text, { mend: 'Look into its log' });
      }
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    cancel();
  }

  async undeploy(name: string): Promise<void> {
    await this.#options.catalog.remove(`${catalogKeys.pipelines}${name}`);
    await this.#changes;
  }

  pipelines(): readonly DeployedPipeline[] {
    return [...this.#running.values()].map(({ pipeline }) => pipeline);
  }

  stages(): readonly Stage[] {
    return [...this.#running.values()].flatMap(({ stages }) => stages);
  }

  /**
   * Hands a trigger put to every lambda it is for. Throws OVERLOADED when one has no room, and
   * SHARD_STOPPED as long as this member does not know its lambdas: the trigger would be lost.
   */
  onTrigger(arrival: Arrival): void {
    if (!this.#begun) {
      const text = `Member ${String(this.#options.node)} has not begun its lambdas yet`;
      const mend = 'Try again in a moment';
      throw new FreshetError('SHARD_STOPPED', text, { mend, details: { key: arrival.key } });
    }
    for (const stage of this.stages()) {
      const { prefix } = stage.node;
      if (arrival.key.startsWith(`${prefix}/`)) stage.onTrigger(arrival);
    }
  }

  /** The view changed: shards have new members or new epochs. */
  async onView(): Promise<void> {
    this.#dispatched.clear();
    this.#cursors.keepShards(this.#options.isHeld);
    await this.#takeOver();
    for (const stage of this.stages()) stage.attach();
    this.#tellReaches();
  }

  /**
   * From where each stage of a member that is new in a shard has to begin: nothing beyond it was
   * left over by those who were there before.
   */
  cursorsIn(shard: number, newcomer: number): readonly (readonly [string, Position])[] {
    const { epoch } = this.#options.source.newest(shard);
    return this.stages().flatMap((stage) => {
      const version = stage.startFor(newcomer, shard);
      return version === null ? [] : [[stage.name, { epoch, version }] as const];
    });
  }

  /** Another member told how far its stages are with a shard, as one of these members. */
  noteReaches(
    from: number,
    shard: number,
    members: readonly number[],
    reaches: readonly StageReach[],
  ): void {
    this.#reaches.note(from, shard, members, reaches);
  }

  #tellReaches(): void {
    const found = new Map<number, { members: readonly number[]; reaches: StageReach[] }>();
    for (const { place, reach } of this.stages().flatMap((stage) => stage.reaches())) {
      const { shard, members } = place;
      const known = found.get(shard) ?? { members, reaches: [] };
      // A stage that was not told of the newest view yet tells with the next.
      if (known.members.join() === members.join()) known.reaches.push(reach);
      found.set(shard, known);
    }
    for (const [shard, { members, reaches }] of found) {
      const told = JSON.stringify([members, reaches]);
      if (members.length < 2 || this.#told.get(shard) === told) continue;
      this.#told.set(shard, told);
      this.#options.tellReaches(shard, members, reaches);
    }
  }

  /** In shards that are new here the stages go on from where the other members are. */
  async #takeOver(): Promise<void> {
    const wanting = (shard: number): readonly Stage[] =>
      this.stages().filter(
        (stage) =>
          stage.newShards().includes(shard) && this.#cursors.get(stage.name, shard) === null,
      );
    const shards = new Set(this.stages().flatMap((stage) => stage.newShards()));
    for (const shard of [...shards].filter((one) => wanting(one).length > 0)) {
      const cursors = await this.#options.cursorsElsewhere(shard);
      for (const { name } of wanting(shard)) {
        const found = cursors.get(name);
        if (found !== undefined) this.#cursors.set(name, shard, found);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#endWatch?.();
    this.#cancelSave?.();
    this.#awake();
    this.#deadLetters.close();
    await this.#changes;
    await Promise.all(this.stages().map(async (stage) => stage.close()));
    this.#noteCursors();
    await this.#cursors.close();
  }

  #enqueue(key: string): void {
    this.#changes = this.#changes
      .then(async () => this.#apply(key))
      .catch((error: unknown) => {
        this.#options.log.error(
          { key, error: toFreshetError(error).toJSON() },
          'pipeline not taken up',
        );
      })
      .finally(() => {
        this.#awake();
      });
  }

  #awake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  async #apply(key: string): Promise<void> {
    if (this.#closed) return;
    const name = key.slice(catalogKeys.pipelines.length);
    const bytes = await this.#options.catalog.get(key);
    const next =
      bytes === null ? null : (JSON.parse(new TextDecoder().decode(bytes)) as DeployedPipeline);
    const makeStages = next === null ? () => [] : await this.#prepareStages(next);
    const old = this.#running.get(name)?.stages ?? [];
    await Promise.all(old.map(async (stage) => stage.retire(drainMs)));
    this.#noteCursors();
    // From here to the end of the handover nothing waits: a trigger finds the old or the new.
    this.#running.delete(name);
    const stages = makeStages();
    if (next !== null) this.#running.set(name, { pipeline: next, stages });
    const gone = handOver(old, stages);
    for (const { name: stage } of gone) this.#cursors.forget(stage);
    if (gone.length > 0) await this.#cursors.save();
    if (next === null) return;
    this.#saveLater();
    for (const stage of stages) stage.attach();
    this.#options.log.info(
      { pipeline: name, lambdas: stages.map((stage) => stage.name) },
      'pipeline runs',
    );
  }

  /** Brings all that the stages need onto this disk; what it gives makes them at once. */
  async #prepareStages(pipeline: DeployedPipeline): Promise<() => readonly Stage[]> {
    const assets = await this.#writeAssets(pipeline);
    const codes: string[] = [];
    for (const { bundle } of pipeline.nodes) {
      codes.push(await this.#materialize(`${catalogKeys.lambdas}${bundle}`, `${bundle}.cjs`));
    }
    return () =>
      pipeline.nodes.map((node, nth) => this.#makeStage(pipeline, node, codes[nth] ?? '', assets));
  }

  #makeStage(
    pipeline: DeployedPipeline,
    node: LambdaNode,
    code: string,
    assets: Readonly<Record<string, string>>,
  ): Stage {
    const { source, door, clock, log, workerEntry, limits } = this.#options;
    const start = {
      lambda: node.lambda,
      code,
      config: node.config,
      assets,
      node: this.#options.node,
      memberKey: source.memberKey,
      niceness: workerNiceness,
    };
    const stage: Stage = new Stage({
      pipeline: pipeline.name,
      node,
      source,
      emitter: this.#emitter,
      clock,
      log,
      deadLetters: this.#deadLetters,
      startOf: (shard) => this.#cursors.get(stage.name, shard),
      deployedAt: (shard) => pipeline.starts[String(shard)] ?? null,
      reached: ({ shard, members }) => this.#reaches.of(shard, members, stage.name),
      makeWorker: (onChange, onBegan, isWanted) =>
        new WorkerHost({
          turns: this.#turns,
          isWanted,
          start,
          door,
          source,
          clock,
          log,
          onChange,
          onBegan,
          entry: workerEntry,
          limits: limits ?? workerLimits,
        }),
    });
    return stage;
  }

  async #writeAssets(pipeline: DeployedPipeline): Promise<Record<string, string>> {
    const files: Record<string, string> = {};
    for (const [name, sha] of Object.entries(pipeline.assets)) {
      files[name] = await this.#materialize(`${catalogKeys.assets}${sha}`, sha);
    }
    return files;
  }

  /** A catalog entry named by its hash, as a file; written once. */
  async #materialize(key: string, fileName: string): Promise<string> {
    const path = join(this.#options.folder, 'bundles', fileName);
    if (
      await stat(path).then(
        () => true,
        () => false,
      )
    )
      return path;
    const bytes = await this.#options.catalog.get(key);
    if (bytes === null) throw new FreshetError('INVALID_PIPELINE', `The catalog has no '${key}'`);
    await writeFile(`${path}.new`, bytes);
    await rename(`${path}.new`, path);
    return path;
  }

  async #keep(key: string, value: Uint8Array): Promise<void> {
    if ((await this.#options.catalog.get(key)) === null)
      await this.#options.catalog.put(key, value);
  }

  async #ensureDeadLetterPool(): Promise<void> {
    try {
      await this.#options.door.createPool({ name: deadLetterPool, kind: 'persistent' });
    } catch (error) {
      if (!isFreshetError(error, 'POOL_EXISTS')) throw error;
    }
  }

  /** As long as there is a pipeline; without one nothing is to be saved. */
  #saveLater(): void {
    if (this.#closed || this.#cancelSave !== null || this.#running.size === 0) return;
    this.#cancelSave = this.#options.clock.after(saveEveryMs, () => {
      this.#noteCursors();
      this.#tellReaches();
      this.#cursors
        .save()
        .catch((error: unknown) => {
          this.#options.log.error({ error: toFreshetError(error).toJSON() }, 'cursors not saved');
        })
        .finally(() => {
          this.#cancelSave = null;
          this.#saveLater();
        });
    });
  }

  #noteCursors(): void {
    const slowest = new Map<number, number>();
    for (const stage of this.stages()) {
      for (const [shard, version] of stage.cursors()) {
        const { epoch } = this.#options.source.newest(shard);
        this.#cursors.set(stage.name, shard, { epoch, version });
        slowest.set(shard, Math.min(slowest.get(shard) ?? Infinity, version));
      }
    }
    for (const [shard, version] of slowest) {
      if (this.#dispatched.get(shard) === version) continue;
      this.#dispatched.set(shard, version);
      this.#options.source.setDispatched(shard, version);
    }
  }
}

/** Gives the triggers of old stages to those that replace them. Returns those that nobody does. */
function handOver(old: readonly Stage[], stages: readonly Stage[]): readonly Stage[] {
  const gone: Stage[] = [];
  for (const stage of old) {
    const triggers = stage.takeTriggers();
    const heir = stages.find(({ name }) => name === stage.name);
    if (heir === undefined) gone.push(stage);
    if (heir === undefined || heir.node.on === 'put') void stage.giveUp(triggers);
    else heir.adopt(triggers);
  }
  return gone;
}
