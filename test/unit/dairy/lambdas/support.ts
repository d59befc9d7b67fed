/** Small real models for the lambdas, pictures they understand, and pools in memory. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import sharp from 'sharp';
import { Database, type Door } from '../../../../platform/client/mod.ts';
import {
  localShards,
  QueryEngine,
  queryLimits,
  type QueryPlan,
} from '../../../../platform/query/mod.ts';
import { logRecord, type LogRecord, MemorySource } from '../../query/memory-source.ts';

const { onnx } = onnxProto;

/** Rows of weights for red, green and blue (0 to 1), then what is added. */
type Rows = readonly (readonly [number, number, number, number])[];

interface Head {
  readonly output: string;
  readonly rows: Rows;
  readonly activation: 'Sigmoid' | 'Softmax' | 'Identity';
}

/** A network that looks at the mean colour alone. */
function colourModel(heads: readonly Head[]): Uint8Array {
  const float = onnx.TensorProto.DataType.FLOAT;
  const dim = [1, 3, 24, 32].map((dimValue) => ({ dimValue }));
  const tensor = (name: string, dims: number[], floatData: number[]) => ({
    name,
    dims,
    dataType: float,
    floatData,
  });
  return onnx.ModelProto.encode(
    onnx.ModelProto.create({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 13 }],
      graph: {
        name: 'colour',
        input: [{ name: 'frame', type: { tensorType: { elemType: float, shape: { dim } } } }],
        output: heads.map(({ output }) => ({
          name: output,
          type: { tensorType: { elemType: float } },
        })),
        initializer: heads.flatMap(({ output, rows }) => [
          tensor(
            `${output}_w`,
            [3, rows.length],
            [0, 1, 2].flatMap((colour) => rows.map((row) => row[colour] ?? 0)),
          ),
          tensor(
            `${output}_b`,
            [rows.length],
            rows.map((row) => row[3]),
          ),
        ]),
        node: [
          { opType: 'GlobalAveragePool', input: ['frame'], output: ['mean'] },
          { opType: 'Flatten', input: ['mean'], output: ['flat'] },
          ...heads.flatMap(({ output, activation }) => [
            {
              opType: 'Gemm',
              input: ['flat', `${output}_w`, `${output}_b`],
              output: [`${output}_x`],
            },
            { opType: activation, input: [`${output}_x`], output: [output] },
          ]),
        ],
      },
    }),
  ).finish();
}

/**
 * A cow is what is red or blue; red ones are white cows, blue ones black; green tells them apart.
 */
const filterHeads: readonly Head[] = [
  {
    output: 'scene',
    activation: 'Sigmoid',
    rows: [
      [20, 0, 20, -6],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ],
  },
  {
    output: 'coat',
    activation: 'Softmax',
    rows: [
      [9, 0, 0, 0],
      [0, 0, 9, 0],
    ],
  },
];
const identityHeads: readonly Head[] = [
  {
    output: 'embedding',
    activation: 'Identity',
    rows: [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
    ],
  },
];

/** A folder with models.json and its models; gives the paths of its assets. */
export function modelFolder(): { folder: string; assets: Record<string, string> } {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-dairy-'));
  const input = { name: 'frame', width: 32, height: 24, scale: 1 / 255 };
  const identity = (coat: string) => ({
    model: {
      name: `identity-${coat}`,
      file: `${coat}.onnx`,
      input,
      decoder: { type: 'embedding', output: 'embedding' },
    },
    threshold: 0.995,
    cropGrowth: 0.05,
  });
  const decoder = {
    type: 'cow-box',
    boxOutput: 'scene',
    coatOutput: 'coat',
    coats: ['white', 'black'],
    coatValues: 'probabilities',
  };
  const filter = { model: { name: 'filter', file: 'filter.onnx', input, decoder } };
  const list = {
    format: 1,
    filter,
    identity: { white: identity('white'), black: identity('black') },
  };
  writeFileSync(join(folder, 'models.json'), JSON.stringify(list));
  writeFileSync(join(folder, 'filter.onnx'), colourModel(filterHeads));
  writeFileSync(join(folder, 'white.onnx'), colourModel(identityHeads));
  writeFileSync(join(folder, 'black.onnx'), colourModel(identityHeads));
  const names = ['models.json', 'filter.onnx', 'white.onnx', 'black.onnx'];
  return { folder, assets: Object.fromEntries(names.map((name) => [name, join(folder, name)])) };
}

export async function plainJpeg(r: number, g: number, b: number): Promise<Buffer> {
  const create = { width: 64, height: 48, channels: 3 as const, background: { r, g, b } };
  return sharp({ create }).jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer();
}

export interface MemoryRecord {
  readonly key: string;
  readonly value: unknown;
  readonly eventTime?: number;
}

/** Pools that the lambdas read: one shard, versions and times in the order of the list. */
export function memoryDatabase(records: MemoryRecord[]): Database {
  const rows = (): LogRecord[] =>
    records.map(({ key, value, eventTime = null }, i) =>
      logRecord({ key, version: i + 1, time: 1000 + i, eventTime }, value as never),
    );
  const engine = (): QueryEngine =>
    new QueryEngine({
      shards: localShards(new MemorySource([rows()], {}), queryLimits),
      valueKindOf: () => 'json',
      limits: queryLimits,
    });
  const door: Partial<Door> = {
    frontier: async () => {
      const delivered = records.length;
      return [{ shard: 0, epoch: 1, delivered, stable: delivered, persisted: delivered }];
    },
    get: async ({ key, at = Infinity }) =>
      (rows().findLast((row) => row.key === key && row.time <= at) ?? null) as never,
    query: async function* query(plan, signal) {
      for await (const batch of engine().run(
        plan as QueryPlan,
        signal ?? new AbortController().signal,
      ))
        yield* batch;
    },
  };
  return new Database(door as Door);
}
