/**
 * The layout that a view runs under, once it was changed while the cluster ran. It travels in the
 * bytes of the view (view-codec.ts) and lies in every view record, whole: so whoever can go on with
 * the view, after whatever, has its layout. A view without one runs under the configuration.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type Static, Type } from 'typebox';
import { FreshetError, type Frozen, SchemaCheck } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import { SubgroupSchema } from './layout-options.ts';

const count = Type.Integer({ minimum: 1 });

const ViewLayoutSchema = Type.Object({
  /** How often it was changed, and one: what is configured is version 1. */
  version: Type.Integer({ minimum: 2 }),
  /** Bytes of each ring of the epochs that begin under it, a power of two. */
  ringSize: count,
  exclusive: Type.Boolean(),
  /** `first`: the number of its first shard, for good; null in `options` is what nobody said. */
  subgroups: Type.Array(Type.Object({ first: count, options: SubgroupSchema })),
  /** Above every shard's number that was ever given; left out: above those of `subgroups`. */
  nextShard: Type.Optional(count),
});

const viewLayout = new SchemaCheck(ViewLayoutSchema);

export type ViewLayout = Frozen<Static<typeof ViewLayoutSchema>>;

export function encodeViewLayout(layout: ViewLayout): Buffer {
  return deflateRawSync(Buffer.from(JSON.stringify(layout), 'utf8'));
}

/** Throws LOG_CORRUPT when the bytes are none. */
export function decodeViewLayout(bytes: Uint8Array): ViewLayout {
  const parsed = parsedFrom(bytes);
  if (viewLayout.accepts(parsed)) return parsed;
  throw new FreshetError('LOG_CORRUPT', 'The layout of a view is none');
}

function parsedFrom(bytes: Uint8Array): unknown {
  try {
    const text = inflateRawSync(bytes, { maxOutputLength: groupLimits.layoutBytes });
    return JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw new FreshetError('LOG_CORRUPT', 'The layout of a view cannot be read', { cause });
  }
}

/** Base64, for messages; empty: none. */
export function layoutToText(layout: ViewLayout | null): string {
  return layout === null ? '' : encodeViewLayout(layout).toString('base64');
}

/** Throws LOG_CORRUPT. */
export function layoutFromText(text: string): ViewLayout | null {
  return text === '' ? null : decodeViewLayout(Buffer.from(text, 'base64'));
}

export function isSameLayout(a: ViewLayout | null, b: ViewLayout | null): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
