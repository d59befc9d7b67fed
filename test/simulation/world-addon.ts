import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { NativeAddon } from '../../platform/bridge/mod.ts';
import { repositoryRoot } from '../support/repository.ts';

/**
 * The simulated world (test/native/simulation): the functions of the product's addon, whose members
 * are those of the world, and those that step it. One world at a time.
 */
export interface WorldAddon extends NativeAddon {
  /** `settings` as `settingsOf` packs them. */
  beginWorld(settings: Float64Array): void;
  /**
   * Goes on until an event loop has something to do, and returns its kind, one of `loopEvents`;
   * `event` becomes [node, id, value].
   */
  runWorld(event: Float64Array): number;
  endWorld(): void;
  /** The node's clocks: boot time in ms, wall time in µs. */
  timeOf(node: number): number;
  wallOf(node: number): number;
  /** A timer of the node's process; `id` comes back as an event. */
  after(node: number, delayMs: number, id: number): void;
  /** What the file holds now, null: there is none; `id` comes back when it was read. */
  readFile(node: number, name: string, id: number): Buffer | null;
  /** Beside, renamed, the folder synced; `id` comes back with a status. */
  replaceFile(node: number, name: string, bytes: Uint8Array, id: number): void;
  /** What the node's event loop is doing; one of `worldSteps` by place. */
  tellStep(node: number, step: number): void;
  /**
   * What the read of a client found, `id` as in the event: one of `answerKinds`, the version of the
   * key, its epoch, and its value.
   */
  tellRead(
    node: number,
    id: number,
    kind: number,
    version: number,
    epoch: number,
    value: Uint8Array | null,
  ): void;
  /** The bytes of the put that a client asks for; `into` becomes what `putColumns` names. */
  putOf(id: number, into: Float64Array): Buffer;
  /** How the put of a client ended, by number of `statusNames`; of status 0 with what it became. */
  tellPut(node: number, id: number, status: number, become: Float64Array): void;
  /** What an event loop finds wrong. */
  tellViolation(text: string): void;
  /** The newest version of a shard that anybody has; 0: none. */
  newestOf(shard: number): number;
  /** The epoch of a version in the history of its shard as it is now; 0: it has none such. */
  epochOf(shard: number, version: number): number;
  /**
   * The shards of the layout of a view that a member has: number, 1 if it is persistent, and so on;
   * without those of raw delivery.
   */
  tellLayout(view: number, shards: Float64Array): void;
  /** `into` becomes [version, era]: what a linearizable read that begins now has to show. */
  shownOf(shard: number, into: Float64Array): void;
  /** `into` becomes what `pastColumns` names; false: the history has no such version. */
  pastOf(shard: number, version: number, into: Float64Array): boolean;
  /** The number of a value of a key by its bytes; 0: nobody put them. */
  valueOf(bytes: Uint8Array, key: number): number;
  /**
   * A version of the catalog's shard as it is now: epoch, 1 if it removes, and the length of the key
   * in four bytes each, the key, the value. Null: it has none such.
   */
  entryOf(version: number): Buffer | null;
  /** A call for the catalog is answered, `id` as in the event. */
  tellCatalog(id: number): void;
  /** The process could not start, or ended by itself. */
  fail(node: number, why: string): void;
  note(text: string): void;
  resultOf(): WorldResult;
}

export interface WorldResult {
  /** A line each; empty: the seed is clean. */
  readonly violations: string;
  /** A hash of everything that arrived anywhere, and when. */
  readonly trace: string;
  /** Operations of clients that were answered, and not refused. */
  readonly operations: number;
  /** Of them, those in shards that came with their subgroup. */
  readonly answeredInExtras: number;
  /** Of them, those in histories that were found linearizable. */
  readonly checked: number;
  readonly reads: number;
  /** Requests of sessions that were sent again. */
  readonly retries: number;
  readonly deliveries: number;
  readonly views: number;
  readonly restarts: number;
  /** Versions that total restarts took back. */
  readonly undone: number;
  readonly faults: number;
  readonly passes: number;
  /** Messages of raw shards that were delivered, to each member one, and that were answered. */
  readonly rawDelivered: number;
  readonly rawAnswered: number;
  /** Simulated; and from the end of the faults to rest. */
  readonly timeMs: number;
  readonly settledMs: number;
  /** Faults by the step that they met, row by row. */
  readonly table: Uint32Array;
}

export const loopEvents = {
  done: 0,
  start: 1,
  end: 2,
  wake: 3,
  timer: 4,
  file: 5,
  move: 6,
  layout: 7,
  read: 8,
  put: 9,
  catalog: 10,
} as const;

/** What putOf() tells; 0 where there is none. `value` is known by this number. */
export const putColumns = {
  shard: 0,
  key: 1,
  value: 2,
  persisted: 3,
  expectVersionOfKey: 4,
  expectEpoch: 5,
  session: 6,
  request: 7,
  lowestUnanswered: 8,
  pool: 9,
} as const;

/** What pastOf() tells of a version: `key` by its number, `value` as in `putColumns`. */
export const pastColumns = { epoch: 0, time: 1, key: 2, value: 3 } as const;

/** As ReadLevel of the native side. */
export const readLevels = ['linearizable', 'stable', 'local'] as const;

export const answerKinds = { found: 0, nothing: 1, refused: 2 } as const;

export const worldFaults = [
  'kill',
  'power',
  'pause',
  'stall',
  'cut',
  'drop',
  'slow-disk',
  'full-disk',
  'corrupt',
  'clock',
  'slow',
] as const;

/** As WorldStep of the native side. */
export const worldSteps = [
  'idle',
  'suspecting',
  'acked',
  'wedged',
  'trimmed',
  'delivering',
  'prepared',
  'committed',
  'asking',
  'filling',
  'tailing',
  'waiting',
  'collecting',
  'sealing',
  'filling-all',
  'adopting',
  'preparing',
  'pausing',
  'starting',
  'reporting',
  'sealed',
  'filling-mine',
  'adopted',
  'recording',
  'ready',
  'beginning',
] as const;

export type WorldStep = (typeof worldSteps)[number];

/** The same over a core in which rules can be broken. */
export interface CanariesAddon extends WorldAddon {
  /** By the numbers of world-canaries.ts, for all worlds from now on. */
  breakRule(rule: number): void;
}

export function loadWorldAddon(): WorldAddon {
  return load('freshet_world') as WorldAddon;
}

export function loadCanariesAddon(): CanariesAddon {
  return load('freshet_world_canaries') as CanariesAddon;
}

function load(name: string): unknown {
  const file = join(repositoryRoot, 'build/native/test/simulation', `${name}.node`);
  return createRequire(import.meta.url)(file);
}
