/**
 * Which models the dairy pipeline uses: one that finds the cow, and for each coat one that tells
 * which cow it is. `models.json` of the repository's own models is such a list; a list of one's
 * own in the same form brings other models in.
 */
import { readFile } from 'node:fs/promises';
import { Type } from 'typebox';
import type { CowFinding } from './find-cow.ts';
import { reasonOf, visionError } from './errors.ts';
import { parseModelConfig } from './model-config.ts';
import type { ModelConfig } from './model-config.ts';
import { parseAs } from './parse-config.ts';

/** Fields beyond these say how a model came about and are left alone. */
const open = { additionalProperties: true } as const;

const cropGrowthUsual = 0.05;

const ModelList = Type.Object(
  {
    format: Type.Literal(1),
    filter: Type.Object({ model: Type.Unknown() }, open),
    /** By coat; one entry under any name when the filter tells no coat. */
    identity: Type.Record(
      Type.String(),
      Type.Object(
        {
          model: Type.Unknown(),
          threshold: Type.Number({ minimum: -1, maximum: 1 }),
          cropGrowth: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
        },
        open,
      ),
    ),
  },
  open,
);

export interface IdentityModel {
  readonly model: ModelConfig;
  /** The least cosine at which a cow is taken for an enrolled one. */
  readonly threshold: number;
  /** By how much of its size the box grows on each side before the cow is cut out. */
  readonly cropGrowth: number;
}

export interface DairyModels {
  readonly filter: ModelConfig;
  readonly identity: ReadonlyMap<string, IdentityModel>;
}

/** @throws INVALID_CONFIG naming the field, or the coat that has no model */
export function parseDairyModels(value: unknown): DairyModels {
  const list = parseAs(ModelList, value, 'the list of models');
  const filter = parseModelConfig(list.filter.model);
  const identity = new Map(
    Object.entries(list.identity).map(
      ([coat, { model, threshold, cropGrowth = cropGrowthUsual }]) => [
        coat,
        { model: identityConfig(coat, model), threshold, cropGrowth },
      ],
    ),
  );
  checkCoats(filter, [...identity.keys()]);
  return { filter, identity };
}

/** @param file path of the list */
export async function readDairyModels(file: string): Promise<DairyModels> {
  try {
    return parseDairyModels(JSON.parse(await readFile(file, 'utf8')));
  } catch (thrown) {
    throw visionError('INVALID_CONFIG', {
      message: `${file} is no list of models: ${reasonOf(thrown)}`,
      mend: 'Write it in the form of pipelines/dairy/models/models.json',
      cause: thrown,
    });
  }
}

/** The coat under which a cow is looked for; the only one there is when the filter tells none. */
export function coatOf(models: DairyModels, finding: CowFinding): string {
  const [only] = models.identity.keys();
  return finding.coat?.name ?? only ?? '';
}

function identityConfig(coat: string, model: unknown): ModelConfig {
  const config = parseModelConfig(model);
  if (config.decoder.type === 'embedding') return config;
  throw visionError('INVALID_CONFIG', {
    message: `the model for the coat ${coat} has the decoder ${config.decoder.type}`,
    mend: 'Use a model with the decoder embedding to tell cows apart',
  });
}

function checkCoats({ decoder, name }: ModelConfig, known: readonly string[]): void {
  const told = decoder.type === 'cow-box' && decoder.coatOutput !== null ? decoder.coats : [];
  const missing = told.find((coat) => !known.includes(coat));
  if (missing === undefined && (told.length > 0 || known.length === 1)) return;
  const found = known.length === 0 ? 'none' : known.join(', ');
  throw visionError('INVALID_CONFIG', {
    message:
      missing === undefined
        ? `the filter ${name} tells no coat, so one identity model is needed; there are: ${found}`
        : `the filter ${name} tells the coat ${missing}, for which there is no identity model`,
    mend: 'Give one identity model for each coat, or a single one when no coat is told',
  });
}
