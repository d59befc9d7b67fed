/**
 * A region of a picture as a picture of its own, already of the size that a model wants, so that
 * the next stage neither decodes nor scales again.
 */
import sharp from 'sharp';
import type { Box } from './boxes.ts';
import type { RawImage } from './decode-image.ts';
import { visionError } from './errors.ts';
import type { ModelConfig } from './model-config.ts';
import { wholePixels } from './placement.ts';

/**
 * Stretched to the input's size where the model stretches its input anyway; else kept in its
 * proportions and no larger than the input needs.
 *
 * @param region in pixels of the picture, cut where it leaves the picture
 * @throws IMAGE_INVALID when the region lies outside the picture
 */
export async function cropImage(
  image: RawImage,
  region: Box,
  model: Pick<ModelConfig, 'input' | 'decoder'>,
): Promise<RawImage> {
  const pixels = wholePixels(region, image.width, image.height);
  if (pixels === null) {
    throw visionError('IMAGE_INVALID', {
      message: `the region at ${region.x}, ${region.y} lies outside the picture`,
      mend: 'Ask for a region inside the picture',
    });
  }
  const { width, height } = sizeOf(pixels, model);
  const { data, info } = await sharp(image.pixels, {
    raw: { width: image.width, height: image.height, channels: 3 },
  })
    .extract({ left: pixels.x, top: pixels.y, width: pixels.width, height: pixels.height })
    .resize(width, height, { fit: 'fill', kernel: model.input.kernel })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, pixels: data };
}

function sizeOf(
  region: Box,
  { input, decoder }: Pick<ModelConfig, 'input' | 'decoder'>,
): { readonly width: number; readonly height: number } {
  // A crop that may yet be turned keeps its proportions: they tell how it lies.
  const isTurned = decoder.type === 'embedding' && decoder.orient === 'landscape';
  if (input.resize === 'stretch' && !isTurned) return { width: input.width, height: input.height };
  const needed = Math.max(input.width, input.height);
  const scale = Math.min(1, needed / Math.min(region.width, region.height));
  return {
    width: Math.max(1, Math.round(region.width * scale)),
    height: Math.max(1, Math.round(region.height * scale)),
  };
}
