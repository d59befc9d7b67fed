/**
 * Bytes of a picture to upright sRGB pixels, once a frame: the filter's input and the crop for
 * identity are both cut from these pixels, so that a JPEG is never decoded twice.
 */
import sharp from 'sharp';
import { reasonOf, visionError } from './errors.ts';

/** 8 bits a channel, red green blue, rows from the top, no padding: width * height * 3 bytes. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

export interface ImageLimits {
  /** Encoded size, bytes. */
  readonly bytesMax: number;
  /** Width times height, before anything is decoded. */
  readonly pixelsMax: number;
}

export const imageLimits: ImageLimits = {
  bytesMax: 64 * 1024 * 1024,
  pixelsMax: 40_000_000,
};

export class ImageDecoder {
  readonly #limits: ImageLimits;

  constructor(limits: ImageLimits = imageLimits) {
    this.#limits = limits;
    // Both are settings of the whole process. One thread a picture: frames run side by side
    // already, and more threads a frame only cost switches. No cache: no frame comes twice.
    sharp.concurrency(1);
    sharp.cache(false);
  }

  /**
   * Upright (EXIF orientation applied), three channels (CMYK and grey converted, transparency
   * dropped).
   *
   * @throws IMAGE_INVALID for anything that is not a whole JPEG, PNG or WebP within the limits
   */
  async decode(bytes: Uint8Array): Promise<RawImage> {
    this.#refuseEarly(bytes);
    try {
      const { data, info } = await sharp(bytes, {
        // 'error' fails on truncated and on broken data, not on harmless oddities of cameras.
        failOn: 'error',
        limitInputPixels: this.#limits.pixelsMax,
      })
        .autoOrient()
        .toColourspace('srgb')
        .removeAlpha()
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      if (info.channels !== 3) throw new Error(`${info.channels} channels after conversion`);
      return { width: info.width, height: info.height, pixels: data };
    } catch (thrown) {
      throw visionError('IMAGE_INVALID', {
        message:
          `the picture of ${bytes.byteLength} bytes cannot be decoded: ${reasonOf(thrown)}; ` +
          `at most ${this.#limits.pixelsMax} pixels are taken`,
        mend: 'Send a whole JPEG, PNG or WebP within that size',
        cause: thrown,
      });
    }
  }

  /** By the first bytes alone: sharp also reads SVG and PDF, which no camera sends. */
  #refuseEarly(bytes: Uint8Array): void {
    const { bytesMax } = this.#limits;
    if (bytes.byteLength > bytesMax) {
      throw visionError('IMAGE_INVALID', {
        message: `the picture has ${bytes.byteLength} bytes, more than ${bytesMax}`,
        mend: 'Send a smaller picture or raise bytesMax',
      });
    }
    if (sniffFormat(bytes) !== null) return;
    const start = Buffer.from(bytes.subarray(0, 8)).toString('hex');
    throw visionError('IMAGE_INVALID', {
      message:
        bytes.byteLength === 0
          ? 'the picture has no bytes'
          : `the ${bytes.byteLength} bytes start with ${start}, as no JPEG, PNG or WebP does`,
      mend: 'Send a JPEG, PNG or WebP',
    });
  }
}

export function sniffFormat(bytes: Uint8Array): 'jpeg' | 'png' | 'webp' | null {
  const at = (i: number): number => bytes[i] ?? -1;
  if (at(0) === 0xff && at(1) === 0xd8 && at(2) === 0xff) return 'jpeg';
  if (at(0) === 0x89 && at(1) === 0x50 && at(2) === 0x4e && at(3) === 0x47) return 'png';
  const text = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  return text.startsWith('RIFF') && text.endsWith('WEBP') ? 'webp' : null;
}
