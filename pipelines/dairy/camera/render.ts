import sharp from 'sharp';
import { coatOf } from './coat.ts';
import type { Coat, CoatColour } from './coat.ts';
import { drawCow, poseMatrix } from './figure.ts';
import type { Figure } from './figure.ts';
import { joined, translation } from './geometry.ts';
import type { Box } from './geometry.ts';
import { poseOf } from './pose.ts';
import type { Difficulty, Pose } from './pose.ts';
import { Random } from './random.ts';
import { canvasHeight, canvasWidth, sceneOf } from './scene.ts';
import type { Scene } from './scene.ts';
import { cowSeedFor, seedFieldSize } from './seeds.ts';
import { expose, exposureOf } from './sensor.ts';

export type FrameRequest = {
  /** Whose coat to draw; null draws a frame without a cow. */
  readonly cowSeed: number | null;
  /** Decides all else: pose, place, light, clutter, noise, compression. */
  readonly frameSeed: number;
  readonly difficulty: Difficulty;
  /** Pixels; 640 and 480 where not given. */
  readonly width?: number;
  readonly height?: number;
};

export type FrameTruth = {
  /** A whole cow is in the frame. */
  readonly cow: boolean;
  /** Its extremes in pixels of the frame, null without a cow. */
  readonly box: Box | null;
  readonly coat: CoatColour | null;
  /** Only an end of a cow shows at an edge: the frame counts as one without a cow. */
  readonly partial: boolean;
};

export type RenderedFrame = { readonly jpeg: Buffer; readonly truth: FrameTruth };

/** Pixels kept free between cow and frame edge. */
const marginMin = 4;

/**
 * Draws one camera frame. The same request gives the same bytes with the same sharp; another
 * version of its drawing library may place an edge pixel otherwise.
 */
export async function renderFrame(request: FrameRequest): Promise<RenderedFrame> {
  const width = request.width ?? canvasWidth;
  const height = request.height ?? canvasHeight;
  const random = new Random(request.frameSeed);
  const pose = poseOf(random, request.difficulty);
  const exposure = exposureOf(random, request.difficulty);
  const kind = request.cowSeed === null ? emptyKind(random) : 'cow';
  const [thingsMin, thingsMax] = thingsOf(kind);
  const scene = sceneOf(random, request.difficulty, thingsMin, thingsMax);

  let figure: Figure | null = null;
  let coat: Coat | null = null;
  if (request.cowSeed !== null) {
    coat = coatOf(request.cowSeed);
    figure = wholeCow(coat, pose, scene);
  } else if (kind === 'partial') {
    figure = passingCow(random, pose, scene);
  }
  const pixels = await rasterised(svgOf(scene, figure), width, height, exposure.blurSigma);
  expose(pixels, width, exposure);
  const raw = { width, height, channels: 3 } as const;
  const jpeg = await sharp(pixels, { raw }).jpeg({ quality: exposure.jpegQuality }).toBuffer();
  const isCow = coat !== null && figure !== null;
  const truth: FrameTruth = {
    cow: isCow,
    box: isCow && figure !== null ? scaled(figure.box, width, height) : null,
    coat: coat?.colour ?? null,
    partial: kind === 'partial',
  };
  return { jpeg, truth };
}

type FrameKind = 'cow' | 'bare' | 'cluttered' | 'partial';

function emptyKind(random: Random): FrameKind {
  return random.pick(['bare', 'cluttered', 'cluttered', 'cluttered', 'partial'] as const);
}

/** The same things stand beside a cow as in frames without one, so that none gives it away. */
function thingsOf(kind: FrameKind): readonly [number, number] {
  return kind === 'bare' ? [0, 0] : kind === 'cluttered' ? [1, 4] : [0, 2];
}

/** The whole cow with its hooves on the ground; one that is too large for the frame shrinks. */
function wholeCow(coat: Coat, pose: Pose, scene: Scene): Figure {
  const room = { width: canvasWidth - 2 * marginMin, height: canvasHeight - 2 * marginMin };
  let matrix = poseMatrix(pose, pose.scale);
  let { box } = drawCow(coat, pose, matrix, 'c');
  const fit = Math.min(1, room.width / box.width, room.height / box.height);
  if (fit < 1) {
    matrix = poseMatrix(pose, pose.scale * fit * 0.998);
    box = drawCow(coat, pose, matrix, 'c').box;
  }
  const left = marginMin + pose.acrossShare * (room.width - box.width);
  const lowest = canvasHeight - marginMin;
  const highest = Math.min(lowest, Math.max(scene.horizon + 30, box.height + marginMin));
  const bottom = highest + pose.nearShare * (lowest - highest);
  const place = joined(matrix, translation(left - box.x, bottom - box.y - box.height));
  return drawCow(coat, pose, place, 'c');
}

/** A cow of no herd, of which at most a fifth of its length shows at an edge. */
function passingCow(random: Random, pose: Pose, scene: Scene): Figure {
  const coat = coatOf(cowSeedFor('passing', random.integer(0, seedFieldSize - 1)));
  const matrix = poseMatrix(pose, pose.scale);
  const { box } = drawCow(coat, pose, matrix, 'c');
  const shown = box.width * random.between(0.05, 0.2);
  const left = random.chance(0.5) ? shown - box.width : canvasWidth - shown;
  const lowest = canvasHeight - marginMin;
  const bottom = Math.max(scene.horizon + 30, lowest - pose.nearShare * 90);
  const place = joined(matrix, translation(left - box.x, bottom - box.y - box.height));
  return drawCow(coat, pose, place, 'c');
}

function svgOf(scene: Scene, figure: Figure | null): string {
  const volume =
    '<linearGradient id="volume" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#fff" ' +
    'stop-opacity=".45"/><stop offset=".3" stop-color="#000" stop-opacity="0"/><stop offset="1" ' +
    'stop-color="#000" stop-opacity="1"/></linearGradient>';
  return (
    `<defs>${volume}</defs>` +
    scene.behind +
    (figure === null ? '' : shadowOf(figure.box) + figure.svg) +
    scene.inFront
  );
}

function shadowOf(box: Box): string {
  const x = (box.x + box.width * 0.45).toFixed(1);
  const y = (box.y + box.height - 4).toFixed(1);
  const size = `rx="${(box.width * 0.45).toFixed(1)}" ry="${(box.height * 0.045).toFixed(1)}"`;
  return `<ellipse cx="${x}" cy="${y}" ${size} fill="#000" fill-opacity=".3"/>`;
}

async function rasterised(
  body: string,
  width: number,
  height: number,
  blurSigma: number,
): Promise<Uint8Array> {
  const view = `viewBox="0 0 ${canvasWidth} ${canvasHeight}" preserveAspectRatio="none"`;
  const size = `width="${width}" height="${height}"`;
  const open = `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${view}>`;
  const image = sharp(Buffer.from(`${open}${body}</svg>`))
    .removeAlpha()
    .blur(blurSigma);
  return image.raw().toBuffer();
}

function scaled(box: Box, width: number, height: number): Box {
  const x = width / canvasWidth;
  const y = height / canvasHeight;
  return { x: box.x * x, y: box.y * y, width: box.width * x, height: box.height * y };
}
