/**
 * From JPEG bytes to what a net reads. Data set and evaluation share these steps, and models.json
 * names them, so that the pipeline can repeat them: decode to sRGB, take a window, resize it to
 * the net's size by sharp without keeping proportions.
 */
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import type { Box } from '../camera/mod.ts';

/** Interleaved RGB bytes. */
export type Picture = { readonly data: Buffer; readonly width: number; readonly height: number };

export type Size = { readonly width: number; readonly height: number };

/** What the filter reads of a frame, and an identity net of a cow's crop. */
export const frameSize = { width: 128, height: 96 } as const;
export const cropSize = { width: 96, height: 72 } as const;

/** How much a box grows on each side before identification, as a share of its own size. */
export const cropGrowth = 0.05;

export async function decoded(jpeg: Buffer): Promise<Picture> {
  const image = sharp(jpeg).removeAlpha().toColourspace('srgb').raw();
  const { data, info } = await image.toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/** The whole picture, stretched to the size. */
export async function stretched(picture: Picture, size: Size): Promise<Buffer> {
  return opened(picture)
    .resize({ ...size, fit: 'fill' })
    .raw()
    .toBuffer();
}

/** A window of whole pixels inside the picture, stretched to the size. */
export async function cropped(picture: Picture, window: Box, size: Size): Promise<Buffer> {
  const area = { left: window.x, top: window.y, width: window.width, height: window.height };
  return opened(picture)
    .extract(area)
    .resize({ ...size, fit: 'fill' })
    .raw()
    .toBuffer();
}

/** The box grown by a share of its size on each side, cut at the frame, on whole pixels. */
export function grownWindow(box: Box, growth: number, frame: Size): Box {
  const x = clamped(Math.floor(box.x - box.width * growth), 0, frame.width - 1);
  const y = clamped(Math.floor(box.y - box.height * growth), 0, frame.height - 1);
  const right = Math.ceil(box.x + box.width * (1 + growth));
  const bottom = Math.ceil(box.y + box.height * (1 + growth));
  return {
    x,
    y,
    width: clamped(right, x + 1, frame.width) - x,
    height: clamped(bottom, y + 1, frame.height) - y,
  };
}

function opened({ data, width, height }: Picture): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

function clamped(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
