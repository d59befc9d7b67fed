export type PoolKind = 'volatile' | 'persistent' | 'trigger';
/** How the values of a pool are encoded. */
export type SchemaKind = 'json' | 'msgpack' | 'raw';
/** Which time `at` means. */
export type TimeAxis = 'commit' | 'event';

export interface PoolOptions {
  readonly name: string;
  readonly kind: PoolKind;
  /** Versions of a key that a volatile pool keeps; 0: all that fit. Default 128. */
  readonly history?: number;
  readonly maxValueBytes?: number;
  readonly timeAxis?: TimeAxis;
  readonly schema?: SchemaKind;
  /** Default: the subgroup called as the kind. */
  readonly subgroup?: string;
}

export interface PoolInfo extends Required<PoolOptions> {
  /** Catalog version of its record: never used again. */
  readonly id: number;
  readonly shards: readonly number[];
}
