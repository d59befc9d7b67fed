import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { expect, test } from 'vitest';
import { ImageDecoder } from '../../../../pipelines/dairy/vision/decode-image.ts';
import { gradient, jpegOf } from './support.ts';

const decoder = new ImageDecoder();

/** Left half red, right half blue. */
async function twoHalves(): Promise<Sharp> {
  const blue = await sharp({
    create: { width: 20, height: 30, channels: 3, background: 'blue' },
  })
    .png()
    .toBuffer();
  const red = sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } });
  const both = await red
    .composite([{ input: blue, left: 20, top: 0 }])
    .png()
    .toBuffer();
  return sharp(both);
}
const pixelAt = (image: { width: number; pixels: Uint8Array }, x: number, y: number) => [
  ...image.pixels.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3),
];

test('JPEG, PNG and WebP become red, green, blue', async () => {
  const halves = await twoHalves();
  for (const bytes of [
    await halves.clone().jpeg({ quality: 100 }).toBuffer(),
    await halves.clone().png().toBuffer(),
    await halves.clone().webp({ lossless: true }).toBuffer(),
  ]) {
    const image = await decoder.decode(bytes);
    expect([image.width, image.height, image.pixels.length]).toEqual([40, 30, 3600]);
    const [red = 0, green = 0, blue = 0] = pixelAt(image, 5, 15);
    expect([red > 240, green < 15, blue < 15]).toEqual([true, true, true]);
  }
});

test('the EXIF orientation is applied', async () => {
  const turned = await (await twoHalves()).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const image = await decoder.decode(turned);
  expect([image.width, image.height]).toEqual([30, 40]);
  // Orientation 6 is shown turned clockwise: what was left comes to the top.
  expect(pixelAt(image, 15, 5)[0]).toBeGreaterThan(240);
  expect(pixelAt(image, 15, 35)[2]).toBeGreaterThan(240);
});

test('CMYK, grey and transparent pictures come as three channels', async () => {
  const halves = await twoHalves();
  const cmyk = await decoder.decode(await halves.clone().toColourspace('cmyk').jpeg().toBuffer());
  const [red = 0, , blue = 0] = pixelAt(cmyk, 5, 15);
  expect(red - blue).toBeGreaterThan(100);
  const grey = await decoder.decode(await halves.clone().greyscale().jpeg().toBuffer());
  const [r, g, b] = pixelAt(grey, 5, 15);
  expect([r, r]).toEqual([g, b]);
  expect(grey.pixels.length).toBe(3600);
  const clear = await decoder.decode(await halves.clone().ensureAlpha(0.5).png().toBuffer());
  expect(clear.pixels.length).toBe(3600);
});

test('a JPEG cut anywhere is a coded error', async () => {
  const whole = await jpegOf(gradient(200, 150));
  await decoder.decode(whole);
  for (const share of [0.99, 0.7, 0.3, 0.02]) {
    const cut = whole.subarray(0, Math.floor(whole.length * share));
    await expect(decoder.decode(cut)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  }
});

test('a broken JPEG, no picture and nothing at all are coded errors', async () => {
  const broken = Buffer.from(await jpegOf(gradient(200, 150)));
  broken.fill(0xff, 100, 600);
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  for (const bytes of [broken, svg, Buffer.from('hello'), new Uint8Array(0)]) {
    await expect(decoder.decode(bytes)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  }
  await expect(decoder.decode(new Uint8Array(0))).rejects.toThrow('no bytes');
});

test('a picture of huge dimensions is refused by its header', async () => {
  // 65,000 x 65,000 in the frame header of a small file: 12.7 GB if it were decoded.
  const bomb = Buffer.from(await jpegOf(gradient(32, 32)));
  const header = bomb.indexOf(Buffer.from([0xff, 0xc0]));
  bomb.writeUInt16BE(65_000, header + 5);
  bomb.writeUInt16BE(65_000, header + 7);
  await expect(decoder.decode(bomb)).rejects.toThrow(/pixel limit.*at most 40000000 pixels/);
  const small = new ImageDecoder({ bytesMax: 100, pixelsMax: 10 });
  await expect(small.decode(await jpegOf(gradient(32, 32)))).rejects.toThrow('more than 100');
});
