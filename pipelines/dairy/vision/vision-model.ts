/**
 * One ONNX model, loaded by its description and run on pictures.
 *
 * Owning thread: the one that made it; `run` blocks that thread while the network computes, so
 * the pipeline keeps models in worker threads.
 * Invariants:
 * 1. A model that was opened has run once: its input and outputs are as described.
 * 2. Results are in pixels of the upright picture, never of the model's input.
 * 3. After `close` nothing runs.
 */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { clipBox } from './boxes.ts';
import type { Box, Detection } from './boxes.ts';
import { decodeCowBox } from './decode-cow-box.ts';
import type { Coat } from './decode-cow-box.ts';
import { decodeEmbedding } from './decode-embedding.ts';
import type { RawImage } from './decode-image.ts';
import { decodeNanodet } from './decode-nanodet.ts';
import { decodeYolox } from './decode-yolox.ts';
import { DetectorClasses } from './detector-classes.ts';
import { reasonOf, visionError } from './errors.ts';
import { exposeLayer } from './expose-layer.ts';
import { fromHalfArray } from './half-float.ts';
import { InputPreparer } from './input-tensor.ts';
import type { PreparedInput, QuarterTurn } from './input-tensor.ts';
import type { DecoderConfig, InputConfig, ModelConfig } from './model-config.ts';
import { openSession } from './open-session.ts';
import type { Outputs } from './outputs.ts';
import { boxToPicture, wholePixels } from './placement.ts';
import type { Placement } from './placement.ts';

/** A file larger than this is not read. */
export const modelBytesMax = 512 * 1024 * 1024;

export type VisionResult =
  | { readonly kind: 'detections'; readonly detections: readonly Detection[] }
  | { readonly kind: 'embedding'; readonly vector: Float32Array }
  | {
      readonly kind: 'cow';
      /** 0 to 1. */
      readonly score: number;
      /** The score reached the description's threshold and the box lies in the picture. */
      readonly found: boolean;
      readonly box: Box | null;
      readonly coat: Coat | null;
    };

export class VisionModel {
  readonly config: ModelConfig;
  readonly #session: InferenceSession;
  readonly #preparer: InputPreparer;
  readonly #classes: DetectorClasses | null;
  #isClosed = false;

  private constructor(config: ModelConfig, session: InferenceSession) {
    this.config = config;
    this.#session = session;
    this.#preparer = new InputPreparer(config.input);
    this.#classes = classesOf(config.decoder);
  }

  /**
   * @param folder what `config.file` is relative to
   * @throws MODEL_INVALID when the file is missing, is no ONNX, or is not as described
   */
  static async open(config: ModelConfig, folder: string): Promise<VisionModel> {
    const file = resolve(folder, config.file);
    const bytes = await readModel(file);
    const exposed = config.expose === null ? bytes : exposeLayer(bytes, config.expose, file);
    const session = await createSession(exposed, file);
    try {
      checkInput(session, config.input, file);
      const model = new VisionModel(config, session);
      await model.#tryOnce(file);
      return model;
    } catch (thrown) {
      await session.release();
      throw thrown;
    }
  }

  /**
   * @param region the part of the picture to look at, in its pixels; null is the whole
   * @throws IMAGE_INVALID when the region lies outside the picture
   */
  async run(image: RawImage, region: Box | null = null): Promise<VisionResult> {
    const pixels = regionOf(image, region);
    const { data, placement } = await this.#preparer.prepare(image, pixels, this.#turnOf(pixels));
    return this.#decode(await this.#infer(data), placement, image);
  }

  /**
   * The embeddings under which a picture is enrolled, one for each of `enrolTurns`.
   *
   * @param region as in `run`
   * @throws INVALID_CONFIG when the model gives no embedding
   */
  async enrolmentViews(image: RawImage, region: Box | null = null): Promise<Float32Array[]> {
    const { decoder, name } = this.config;
    if (decoder.type !== 'embedding') {
      throw visionError('INVALID_CONFIG', {
        message: `model ${name} has the decoder ${decoder.type}, which gives no embedding`,
        mend: 'Enrol with a model whose decoder is embedding',
      });
    }
    const pixels = regionOf(image, region);
    const views: Float32Array[] = [];
    for (const extra of decoder.enrolTurns) {
      const turn = addTurns(this.#turnOf(pixels), extra);
      const { data } = await this.#preparer.prepare(image, pixels, turn);
      views.push(decodeEmbedding(await this.#infer(data), decoder));
    }
    return views;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#session.release();
  }

  #turnOf(region: Box): QuarterTurn {
    const { decoder } = this.config;
    const isTurned = decoder.type === 'embedding' && decoder.orient === 'landscape';
    return isTurned && region.height > region.width ? 90 : 0;
  }

  async #infer(data: PreparedInput['data']): Promise<Outputs> {
    this.#refuseClosed();
    const { input } = this.config;
    const planes = [3, input.height, input.width];
    const dims = [1, ...(input.layout === 'NCHW' ? planes : [...planes.slice(1), 3])];
    const results = await this.#session.run({ [input.name]: toTensor(input, data, dims) });
    return this.#session.outputNames.map((name) => {
      const result = results[name];
      if (result === undefined) throw new Error(`the session gave no output ${name}`);
      return { name, dims: result.dims, data: toFloats(result) };
    });
  }

  #decode(outputs: Outputs, placement: Placement, image: RawImage): VisionResult {
    const { input, decoder } = this.config;
    const toPicture = (box: Box): Box | null =>
      clipBox(boxToPicture(box, placement), image.width, image.height);
    switch (decoder.type) {
      case 'yolox':
      case 'nanodet': {
        const classes = this.#classes ?? new DetectorClasses(decoder);
        const found =
          decoder.type === 'yolox'
            ? decodeYolox(outputs, input, decoder, classes)
            : decodeNanodet(outputs, input, decoder, classes);
        const detections = found.flatMap((detection) => {
          const box = toPicture(detection.box);
          return box === null ? [] : [{ ...detection, box }];
        });
        return { kind: 'detections', detections };
      }
      case 'embedding':
        return { kind: 'embedding', vector: decodeEmbedding(outputs, decoder) };
      case 'cow-box': {
        const reading = decodeCowBox(outputs, input, decoder);
        const box = toPicture(reading.box);
        const found = box !== null && reading.score >= decoder.cowThreshold;
        return { kind: 'cow', score: reading.score, found, box, coat: reading.coat };
      }
    }
  }

  /** Shapes that the file leaves open show only in a run; better now than at the first frame. */
  async #tryOnce(file: string): Promise<void> {
    const { width, height } = this.config.input;
    const image = { width, height, pixels: new Uint8Array(3 * width * height).fill(127) };
    try {
      await this.run(image);
    } catch (thrown) {
      throw visionError('MODEL_INVALID', {
        message: `${file} does not run as ${this.config.name} describes it: ${reasonOf(thrown)}`,
        mend: 'Correct the description or the path of the model',
        cause: thrown,
      });
    }
  }

  #refuseClosed(): void {
    if (!this.#isClosed) return;
    throw visionError('CLOSED', {
      message: `model ${this.config.name} was closed`,
      mend: 'Run it before closing it',
    });
  }
}

function classesOf(decoder: DecoderConfig): DetectorClasses | null {
  const isDetector = decoder.type === 'yolox' || decoder.type === 'nanodet';
  return isDetector ? new DetectorClasses(decoder) : null;
}

/** The whole pixels that are asked for. */
function regionOf(image: RawImage, region: Box | null): Box {
  const asked = region ?? { x: 0, y: 0, width: image.width, height: image.height };
  const pixels = wholePixels(asked, image.width, image.height);
  if (pixels !== null) return pixels;
  throw visionError('IMAGE_INVALID', {
    message:
      `nothing of the region at ${asked.x}, ${asked.y} of ${asked.width} x ${asked.height} ` +
      `is in the picture of ${image.width} x ${image.height}`,
    mend: 'Ask for a region inside the picture',
  });
}

function addTurns(a: QuarterTurn, b: number): QuarterTurn {
  return quarterTurns[((a + b) / 90) % 4] ?? 0;
}

const quarterTurns: readonly QuarterTurn[] = [0, 90, 180, 270];

async function readModel(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > modelBytesMax) throw new Error(`${size} bytes, more than ${modelBytesMax}`);
    return await readFile(file);
  } catch (thrown) {
    throw visionError('MODEL_INVALID', {
      message: `the model ${file} cannot be read: ${reasonOf(thrown)}`,
      mend: 'Correct the path in the description of the model',
      cause: thrown,
    });
  }
}

async function createSession(bytes: Uint8Array, file: string): Promise<InferenceSession> {
  try {
    return await openSession(bytes);
  } catch (thrown) {
    throw visionError('MODEL_INVALID', {
      message: `${file} of ${bytes.byteLength} bytes is no ONNX model: ${reasonOf(thrown)}`,
      mend: 'Give the path of an .onnx file that onnxruntime loads',
      cause: thrown,
    });
  }
}

/** An open dimension, such as the batch, is a name or -1 in the file and fits any size. */
function checkInput(session: InferenceSession, input: InputConfig, file: string): void {
  const { width, height } = input;
  const expected = input.layout === 'NCHW' ? [1, 3, height, width] : [1, height, width, 3];
  const found = session.inputMetadata.map((meta) =>
    meta.isTensor
      ? { ...meta, text: `${meta.name} ${meta.type} [${meta.shape.join(', ')}]` }
      : null,
  );
  const only = found[0];
  const fits =
    found.length === 1 &&
    only !== null &&
    only !== undefined &&
    only.name === input.name &&
    only.type === input.dtype &&
    only.shape.length === 4 &&
    only.shape.every((size, i) => typeof size !== 'number' || size < 0 || size === expected[i]);
  if (fits) return;
  throw visionError('MODEL_INVALID', {
    message:
      `${file} takes ${found.map((meta) => meta?.text ?? 'something else').join(', ')}; ` +
      `its description says ${input.name} ${input.dtype} [${expected.join(', ')}]`,
    mend: 'Make `input` of the description equal to what the file takes',
  });
}

function toTensor(input: InputConfig, data: PreparedInput['data'], dims: number[]): Tensor {
  const tensor = new Tensor(input.dtype, data, dims);
  // Where Node has Float16Array the tensor makes one of the bits, and onnxruntime-node 1.30.0 sees
  // no bytes in it: https://github.com/microsoft/onnxruntime/pull/32323
  if (input.dtype === 'float16') Object.defineProperty(tensor, 'data', { value: data });
  return tensor;
}

/** Newer Nodes give half floats as Float16Array, Node 20 as their bits. */
function toFloats(tensor: Tensor): Float32Array {
  const { data } = tensor;
  if (data instanceof Float32Array) return data;
  if (tensor.type === 'float16' && data instanceof Uint16Array) return fromHalfArray(data);
  if (tensor.type === 'string') throw new Error('an output holds text');
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}
