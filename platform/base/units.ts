import { check } from './invariant.ts';

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Counts the accepted changes of one shard: 1, 2, 3 … without a gap. */
export type Version = Branded<number, 'Version'>;
/** Names one history of a shard; a version alone does not. */
export type Epoch = Branded<number, 'Epoch'>;
/** Microseconds since 1970-01-01T00:00:00Z, a safe integer (until the year 2255). */
export type Micros = Branded<number, 'Micros'>;
/** Number of a member, from its configuration. */
export type NodeId = Branded<number, 'NodeId'>;
/** Number of a shard, unique in the cluster. */
export type ShardId = Branded<number, 'ShardId'>;

export const version = (value: number): Version => natural(value, 'version', 1) as Version;
export const epoch = (value: number): Epoch => natural(value, 'epoch', 0) as Epoch;
export const micros = (value: number): Micros => natural(value, 'micros', 0) as Micros;
export const nodeId = (value: number): NodeId => natural(value, 'node id', 0) as NodeId;
export const shardId = (value: number): ShardId => natural(value, 'shard id', 0) as ShardId;

function natural(value: number, name: string, min: number): number {
  check(Number.isSafeInteger(value) && value >= min, `${name} is an integer >= ${String(min)}`, {
    value,
  });
  return value;
}
