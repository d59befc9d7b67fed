/**
 * What the stages of the dairy pipeline hand to each other and leave in the pools.
 */
import { Type } from '../../../udl/mod.ts';
import type { Static } from '../../../udl/mod.ts';

const BoxValue = Type.Object({
  x: Type.Number(),
  y: Type.Number(),
  width: Type.Number(),
  height: Type.Number(),
});

const Size = Type.Object({
  width: Type.Integer({ minimum: 1, maximum: 4096 }),
  height: Type.Integer({ minimum: 1, maximum: 4096 }),
});

/** A cow cut out of a frame, in `/dairy/compute` as MessagePack; pixels are red, green, blue. */
export interface CowCrop {
  readonly coat: string;
  /** 0 to 1: how sure the filter is of the cow, and of her coat (null when it told none). */
  readonly score: number;
  readonly coatProbability: number | null;
  /** In pixels of the frame. */
  readonly box: Static<typeof BoxValue>;
  readonly frame: Static<typeof Size>;
  readonly crop: Static<typeof Size> & { readonly pixels: Uint8Array };
}

/** A frame that ended at the filter, in `/dairy/refused/<name of the frame>`. */
export const Refusal = Type.Object({ reason: Type.Literal('no cow') });
export type Refusal = Static<typeof Refusal>;

/** What was seen in one frame, in `/dairy/storage/<cow or unknown>/<name of the frame>`. */
export const Sighting = Type.Object({
  /** The name of the enrolled cow; null when she is unknown. */
  cow: Type.Union([Type.String(), Type.Null()]),
  coat: Type.String(),
  /** Cosine with the nearest enrolled picture, -1 when none is enrolled. */
  similarity: Type.Number(),
  /** The nearest enrolled cow, whether or not she was near enough; null when none is enrolled. */
  nearest: Type.Union([Type.String(), Type.Null()]),
  score: Type.Number(),
  box: BoxValue,
  frame: Size,
});
export type Sighting = Static<typeof Sighting>;

/** One picture of a cow, as she is known by, in `/dairy/enrolled/<cow>/<name of the picture>`. */
export const Enrolled = Type.Object({
  cow: Type.String({ minLength: 1 }),
  coat: Type.String(),
  /** The model that made them; pictures of another model are not compared. */
  model: Type.String(),
  embeddings: Type.Array(Type.Array(Type.Number()), { minItems: 1, maxItems: 4 }),
});
export type Enrolled = Static<typeof Enrolled>;

/** In `/dairy/risk/<cow>`. */
export const Assessment = Type.Object({
  cow: Type.String(),
  /** 0 to 1. */
  probability: Type.Number(),
  /** The horizon in days, 1 is 24 hours. */
  withinDays: Type.Integer(),
  /** What it rests on: the fitted model, or the days since insemination alone. */
  basis: Type.Union([Type.Literal('model'), Type.Literal('table')]),
  daysSinceInsemination: Type.Integer(),
  parity: Type.Integer(),
  /** Days since the last milk record; null when there is none of this lactation. */
  daysSinceRecord: Type.Union([Type.Integer(), Type.Null()]),
});
export type Assessment = Static<typeof Assessment>;

/** In `/dairy/insemination/<cow>`, newest version counts. */
export const InseminationValue = Type.Object({
  date: Type.String(),
  parity: Type.Integer({ minimum: 0 }),
  lastCalving: Type.Union([Type.String(), Type.Null()]),
});

/** What a camera writes of a frame, its number for one, goes along with all that comes of it. */
export function frameMeta(meta: Readonly<Record<string, string>>): Record<string, string> {
  const frame = meta['frame'];
  return frame === undefined ? {} : { frame };
}
