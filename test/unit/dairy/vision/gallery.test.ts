import { expect, test } from 'vitest';
import { Gallery } from '../../../../pipelines/dairy/vision/gallery.ts';

const at = (degrees: number, length = 1): Float32Array => {
  const angle = (degrees * Math.PI) / 180;
  return Float32Array.of(length * Math.cos(angle), length * Math.sin(angle));
};

test('the nearest of all enrolled pictures names the cow, whatever the lengths', () => {
  const gallery = new Gallery(0.9);
  gallery.enrol('ada', [at(0, 5), at(80)]);
  gallery.enrol('bea', [at(40)]);
  const match = gallery.identify(at(70, 0.1));
  expect(match).toMatchObject({ name: 'ada', isKnown: true });
  expect(match.similarity).toBeCloseTo(Math.cos(Math.PI / 18));
  expect(match.runnerUp).toBeCloseTo(Math.cos(Math.PI / 6));
});

test('below the threshold a cow is unknown, and an empty gallery knows nobody', () => {
  const gallery = new Gallery(0.9);
  expect(gallery.identify(at(0))).toEqual({
    name: null,
    similarity: -1,
    runnerUp: -1,
    isKnown: false,
  });
  gallery.enrol('ada', [at(0)]);
  expect(gallery.identify(at(20)).isKnown).toBe(true);
  expect(gallery.identify(at(30))).toMatchObject({ name: 'ada', isKnown: false });
});

test('enrolling again replaces, removing forgets', () => {
  const gallery = new Gallery(0.9);
  gallery.enrol('ada', [at(0), at(90)]);
  gallery.enrol('bea', [at(45)]);
  gallery.enrol('ada', [at(0)]);
  expect(gallery.identify(at(90))).toMatchObject({ name: 'bea', isKnown: false });
  expect(gallery.remove('bea')).toBe(true);
  expect(gallery.remove('bea')).toBe(false);
  expect(gallery.names()).toEqual(['ada']);
  expect(gallery.size).toBe(1);
});

test('another model, too many cows and too many pictures are refused', () => {
  const gallery = new Gallery(0.9, { namesMax: 2, vectorsPerNameMax: 2 });
  gallery.enrol('ada', [at(0)]);
  gallery.enrol('bea', [at(9)]);
  expect(() => gallery.enrol('cleo', [at(0)])).toThrow('2 cows are enrolled already');
  expect(() => gallery.enrol('ada', [])).toThrow('0 embeddings');
  expect(() => gallery.enrol('ada', [at(0), at(1), at(2)])).toThrow('3 embeddings');
  expect(() => gallery.enrol('ada', [new Float32Array(3)])).toThrow('3 dimensions');
  expect(() => gallery.enrol('ada', [Float32Array.of(NaN, 0)])).toThrow('not finite');
  expect(() => gallery.identify(new Float32Array(3))).toThrow('3 dimensions, the gallery has 2');
  expect(() => new Gallery(1.5)).toThrow('no cosine');
  gallery.remove('bea');
  gallery.enrol('ada', [new Float32Array(3).fill(1)]);
  expect(gallery.identify(new Float32Array(3).fill(2)).similarity).toBeCloseTo(1);
});
