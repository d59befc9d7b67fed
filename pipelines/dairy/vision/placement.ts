/**
 * Where a picture, or a part of it, comes to lie in the input of a model, and the way back.
 *
 * All four ways of resizing are one thing: a rectangle of the picture (source) is scaled to a
 * rectangle of the input (target), and the rest of the input is padding.
 */
import type { Box } from './boxes.ts';
import type { ResizeMode } from './model-config.ts';

/** Both rectangles are in whole pixels and at least 1 by 1. */
export interface Placement {
  readonly source: Box;
  readonly target: Box;
}

/** @param region whole pixels of the picture, at least 1 by 1, inside it */
export function placePicture(
  region: Box,
  input: { readonly width: number; readonly height: number },
  resize: ResizeMode,
): Placement {
  const whole = { x: 0, y: 0, width: input.width, height: input.height };
  switch (resize) {
    case 'stretch':
      return { source: region, target: whole };
    case 'cover': {
      const scale = Math.max(input.width / region.width, input.height / region.height);
      const width = clampSize(input.width / scale, region.width);
      const height = clampSize(input.height / scale, region.height);
      const x = region.x + Math.floor((region.width - width) / 2);
      const y = region.y + Math.floor((region.height - height) / 2);
      return { source: { x, y, width, height }, target: whole };
    }
    case 'letterbox-top-left':
    case 'letterbox-center': {
      const scale = Math.min(input.width / region.width, input.height / region.height);
      const width = clampSize(region.width * scale, input.width);
      const height = clampSize(region.height * scale, input.height);
      const centred = resize === 'letterbox-center';
      const x = centred ? Math.floor((input.width - width) / 2) : 0;
      const y = centred ? Math.floor((input.height - height) / 2) : 0;
      return { source: region, target: { x, y, width, height } };
    }
  }
}

/** A box in pixels of the input, as a box in pixels of the picture. */
export function boxToPicture(box: Box, placement: Placement): Box {
  const { source, target } = placement;
  const scaleX = source.width / target.width;
  const scaleY = source.height / target.height;
  return {
    x: source.x + (box.x - target.x) * scaleX,
    y: source.y + (box.y - target.y) * scaleY,
    width: box.width * scaleX,
    height: box.height * scaleY,
  };
}

/** The whole pixels that a box touches, inside a picture of this size; null when outside. */
export function wholePixels(box: Box, width: number, height: number): Box | null {
  const x = Math.max(0, Math.floor(box.x));
  const y = Math.max(0, Math.floor(box.y));
  const right = Math.min(width, Math.ceil(box.x + box.width));
  const bottom = Math.min(height, Math.ceil(box.y + box.height));
  if (!(right > x && bottom > y)) return null;
  return { x, y, width: right - x, height: bottom - y };
}

function clampSize(size: number, sizeMax: number): number {
  return Math.min(sizeMax, Math.max(1, Math.round(size)));
}
