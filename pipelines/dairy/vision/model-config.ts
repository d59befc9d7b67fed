/**
 * The description of a model: everything that is needed to run a foreign ONNX file, as data.
 * A node of a pipeline names one, so that another detector or embedding is a change of
 * configuration, never of code.
 */
import { Type } from 'typebox';
import type { Static, TNumberOptions } from 'typebox';
import { parseAs } from './parse-config.ts';

const closed = { additionalProperties: false } as const;
const triple = (value: number, options: TNumberOptions = {}) =>
  Type.Array(Type.Number(options), { minItems: 3, maxItems: 3, default: [value, value, value] });

export const resizeModes = ['letterbox-top-left', 'letterbox-center', 'stretch', 'cover'] as const;
export type ResizeMode = (typeof resizeModes)[number];

/** How a pixel becomes a number: (pixel * scale - mean[c]) / std[c], c in the model's order. */
export const InputConfig = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    width: Type.Integer({ minimum: 1, maximum: 4096 }),
    height: Type.Integer({ minimum: 1, maximum: 4096 }),
    resize: Type.Enum([...resizeModes], { default: 'stretch' }),
    /** The pixel value, 0 to 255, of what a letterbox leaves free. */
    pad: Type.Number({ minimum: 0, maximum: 255, default: 0 }),
    kernel: Type.Enum(['nearest', 'linear', 'cubic', 'lanczos3'], { default: 'lanczos3' }),
    layout: Type.Enum(['NCHW', 'NHWC'], { default: 'NCHW' }),
    channels: Type.Enum(['RGB', 'BGR'], { default: 'RGB' }),
    scale: Type.Number({ default: 1 }),
    mean: triple(0),
    std: triple(1, { exclusiveMinimum: 0 }),
    dtype: Type.Enum(['float32', 'float16'], { default: 'float32' }),
  },
  closed,
);

const detectorFields = {
  strides: Type.Array(Type.Integer({ minimum: 1, maximum: 1024 }), {
    minItems: 1,
    maxItems: 8,
    default: [8, 16, 32],
  }),
  /** The names of the classes in the model's order; empty when they have none. */
  classNames: Type.Array(Type.String(), { maxItems: 10_000, default: [] }),
  /** Only these classes are reported, by number or by name; empty means all. */
  classes: Type.Array(Type.Union([Type.Integer({ minimum: 0 }), Type.String()]), {
    maxItems: 10_000,
    default: [],
  }),
  scoreThreshold: Type.Number({ minimum: 0, maximum: 1, default: 0.35 }),
  nms: Type.Number({ minimum: 0, maximum: 1, default: 0.45 }),
  detectionsMax: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
};

/** Output [1, cells, 5 + classes]: x, y, log w, log h in strides, objectness, class scores. */
export const YoloxConfig = Type.Object({ type: Type.Literal('yolox'), ...detectorFields }, closed);

/** A stride each: class scores [1, cells, classes], and 4 sides * `bins` distance logits. */
export const NanodetConfig = Type.Object(
  {
    type: Type.Literal('nanodet'),
    ...detectorFields,
    bins: Type.Integer({ minimum: 2, maximum: 64, default: 8 }),
  },
  closed,
);

/** Output [1, channels, rows, columns] or [1, channels, 1, 1] or [1, channels]. */
export const EmbeddingConfig = Type.Object(
  {
    type: Type.Literal('embedding'),
    /** Name of the output; null is the exposed layer, else the first output. */
    output: Type.Union([Type.String(), Type.Null()], { default: null }),
    /** Average within each cell of this grid, kept apart; null keeps the output as it is. */
    pool: Type.Union(
      [
        Type.Object(
          {
            rows: Type.Integer({ minimum: 1, maximum: 64 }),
            columns: Type.Integer({ minimum: 1, maximum: 64 }),
          },
          closed,
        ),
        Type.Null(),
      ],
      { default: null },
    ),
    /** 'landscape' turns what is taller than wide by 90 degrees, for cameras that look down. */
    orient: Type.Enum(['as-is', 'landscape'], { default: 'as-is' }),
    /** Under which turns an enrolled picture is learnt, degrees clockwise. */
    enrolTurns: Type.Array(Type.Enum([0, 90, 180, 270]), {
      minItems: 1,
      maxItems: 4,
      default: [0],
    }),
    /** Divide by the Euclidean length, so that a dot product is the cosine. */
    normalize: Type.Boolean({ default: true }),
  },
  closed,
);

/**
 * The repository's own filter: one output [1, 5] of [cow, cx, cy, w, h], each 0 to 1 of the
 * input's width or height, and one with a number for each coat, the largest of which counts.
 */
export const CowBoxConfig = Type.Object(
  {
    type: Type.Literal('cow-box'),
    boxOutput: Type.String({ minLength: 1 }),
    /** Null when the model tells no coat. */
    coatOutput: Type.Union([Type.String(), Type.Null()], { default: null }),
    /** What each number of the coat output stands for; a name may come more than once. */
    coats: Type.Array(Type.String({ minLength: 1 }), { maxItems: 64, default: [] }),
    /** 'logits' go through softmax; 'probabilities' are taken as they are. */
    coatValues: Type.Enum(['logits', 'probabilities'], { default: 'logits' }),
    cowThreshold: Type.Number({ minimum: 0, maximum: 1, default: 0.5 }),
  },
  closed,
);

const decoders = {
  yolox: YoloxConfig,
  nanodet: NanodetConfig,
  embedding: EmbeddingConfig,
  'cow-box': CowBoxConfig,
} as const;

const decoderTypes = ['yolox', 'nanodet', 'embedding', 'cow-box'] as const;

/** The decoder is checked by its own schema, so that an error speaks of that one alone. */
const ModelShell = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    /** Path of the ONNX file, relative to the folder that the loader was given. */
    file: Type.String({ minLength: 1 }),
    input: InputConfig,
    /** An inner layer that becomes the model's only output; null leaves the outputs alone. */
    expose: Type.Union([Type.String({ minLength: 1 }), Type.Null()], { default: null }),
    decoder: Type.Object({ type: Type.Enum([...decoderTypes]) }, { additionalProperties: true }),
  },
  closed,
);

export type InputConfig = Static<typeof InputConfig>;
export type YoloxConfig = Static<typeof YoloxConfig>;
export type NanodetConfig = Static<typeof NanodetConfig>;
export type EmbeddingConfig = Static<typeof EmbeddingConfig>;
export type CowBoxConfig = Static<typeof CowBoxConfig>;
export type DecoderConfig = YoloxConfig | NanodetConfig | EmbeddingConfig | CowBoxConfig;
export type ModelConfig = Omit<Static<typeof ModelShell>, 'decoder'> & {
  readonly decoder: DecoderConfig;
};

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_CONFIG naming each wrong field, what it holds and what it may hold
 */
export function parseModelConfig(value: unknown): ModelConfig {
  const shell = parseAs(ModelShell, value, 'the description of a model');
  const where = `the decoder of model ${shell.name}`;
  const decoder: DecoderConfig = parseAs(decoders[shell.decoder.type], shell.decoder, where);
  return Object.freeze({ ...shell, decoder });
}
