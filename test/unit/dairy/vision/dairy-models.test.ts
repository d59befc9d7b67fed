import { expect, test } from 'vitest';
import { coatOf, cropImage, parseDairyModels } from '../../../../pipelines/dairy/vision/mod.ts';
import { echoConfig, gradient } from './support.ts';

const input = { name: 'frame', width: 128, height: 96 };
const filter = {
  model: {
    name: 'filter',
    file: 'filter.onnx',
    input,
    decoder: { type: 'cow-box', boxOutput: 'scene', coatOutput: 'coat', coats: ['white', 'black'] },
  },
  sha256: 'not looked at',
};
const identity = {
  model: { name: 'id', file: 'id.onnx', input, decoder: { type: 'embedding' } },
  threshold: 0.6,
};
const list = { format: 1, filter, identity: { white: identity, black: identity }, made: {} };
const yolox = { model: { name: 'y', file: 'y', input, decoder: { type: 'yolox' } } };

test('a list names the filter and a model for each coat', () => {
  const models = parseDairyModels(list);
  expect([...models.identity.keys()]).toEqual(['white', 'black']);
  expect(models.identity.get('black')).toMatchObject({ threshold: 0.6, cropGrowth: 0.05 });
  const seen = { found: true, score: 1, box: null, coat: { name: 'black', probability: 1 } };
  expect(coatOf(models, seen)).toBe('black');
});

test('a filter that tells no coat goes with one identity model', () => {
  const models = parseDairyModels({ ...list, filter: yolox, identity: { any: identity } });
  expect(coatOf(models, { found: true, score: 1, box: null, coat: null })).toBe('any');
});

test('a coat without a model, and models of the wrong kind, are named', () => {
  const code = 'INVALID_CONFIG';
  const parse = (value: object) => () => parseDairyModels({ ...list, ...value });
  expect(parse({ identity: { white: identity } })).toThrow('tells the coat black');
  expect(parse({ filter: yolox })).toThrow('one identity model is needed; there are: white, black');
  expect(parse({ identity: { white: { ...identity, ...yolox }, black: identity } })).toThrow(
    'white has the',
  );
  expect(parse({ identity: { white: { ...identity, threshold: 2 }, black: identity } })).toThrow(
    'identity/white/threshold is 2',
  );
  expect(() => parseDairyModels([])).toThrow(expect.objectContaining({ code }));
});

test('a crop has the size that the model stretches to, or its own proportions', async () => {
  const region = { x: 10.5, y: 20, width: 7.5, height: 16 };
  const stretched = await cropImage(gradient(40, 40), region, echoConfig());
  expect([stretched.width, stretched.height]).toEqual([4, 4]);
  const turned = echoConfig({}, { orient: 'landscape' });
  const kept = await cropImage(gradient(40, 40), region, turned);
  expect([kept.width, kept.height]).toEqual([4, 8]);
  const outside = { x: 50, y: 0, width: 5, height: 5 };
  await expect(cropImage(gradient(40, 40), outside, echoConfig())).rejects.toMatchObject({
    code: 'IMAGE_INVALID',
  });
});
