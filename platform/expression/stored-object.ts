/** One version of one object, as reads, queries and lambdas show it. */
export interface StoredObject<V> {
  /** The whole path, `/pool/…/name`. */
  readonly key: string;
  readonly value: V;
  /** Contiguous per shard, from 1. */
  readonly version: number;
  /** The history that the version belongs to. */
  readonly epoch: number;
  /** Commit time, µs since 1970, strictly monotone in version. */
  readonly time: number;
  /** The writer's own time, µs since 1970. */
  readonly eventTime: number | null;
  /** The version before this one in the shard. */
  readonly previousVersion: number | null;
  /** The version before this one of the same key. */
  readonly previousVersionOfKey: number | null;
  /** Bytes of the value as stored. */
  readonly size: number;
  readonly meta: Readonly<Record<string, string>>;
}

export type StoredField = keyof StoredObject<unknown>;

type FieldKind = 'text' | 'number' | 'object' | 'any';

/** The fields by name with what can be below them; the recorder and the parser check against it. */
export const storedFields: Readonly<Record<StoredField, FieldKind>> = Object.freeze({
  key: 'text',
  value: 'any',
  version: 'number',
  epoch: 'number',
  time: 'number',
  eventTime: 'number',
  previousVersion: 'number',
  previousVersionOfKey: 'number',
  size: 'number',
  meta: 'object',
});

export function isStoredField(name: string): name is StoredField {
  return Object.hasOwn(storedFields, name);
}
