/** The layout as a member's configuration says it, or the file of Cascade that it names. */
import { readFile } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { FreshetError, type Frozen, messageOf } from './base/mod.ts';
import {
  defaultSubgroups,
  readCascadeLayout,
  type SubgroupOptions,
  SubgroupSchema,
} from './group/mod.ts';

/** The settings of a member's configuration that make its layout. */
export const layoutSettings = {
  /** null: one of each kind. */
  subgroups: Type.Union([Type.Null(), Type.Array(SubgroupSchema)], { default: null }),
  layout: Type.Object(
    {
      /** Path of a layout.json of Cascade, in place of `subgroups`. */
      file: Type.Union([Type.Null(), Type.String({ minLength: 1 })], { default: null }),
      /**
       * A member holds one shard, but every one that reserves it. null: where Cascade's file lays
       * out, as it does there; else members hold as many shards as it takes.
       */
      exclusive: Type.Union([Type.Null(), Type.Boolean()], { default: null }),
      /** How long a lost member keeps its places before spares get them. null: for ever. */
      replaceAfterMs: Type.Union(
        [Type.Null(), Type.Integer({ minimum: 0, maximum: 86_400_000, unit: 'ms' })],
        { default: 10_000 },
      ),
      /** What is added to node ids of the file to get members; Cascade numbers nodes from 0. */
      nodeOffset: Type.Union([Type.Literal(1), Type.Literal(0)], { default: 1 }),
    },
    { default: {} },
  ),
} as const;

export type LayoutSettings = Frozen<{
  [Name in keyof typeof layoutSettings]: Static<(typeof layoutSettings)[Name]>;
}>;

export interface ConfiguredLayout {
  readonly subgroups: readonly SubgroupOptions[];
  readonly exclusive: boolean;
  /** What Cascade's file says that is otherwise here, for people. */
  readonly notes: readonly string[];
}

/** Rejects INVALID_CONFIG, which names the file or setting and the nearest fix. */
export async function configuredLayout(settings: LayoutSettings): Promise<ConfiguredLayout> {
  const { subgroups, layout } = settings;
  if (layout.file === null) {
    const exclusive = layout.exclusive ?? false;
    return { subgroups: subgroups ?? defaultSubgroups, exclusive, notes: [] };
  }
  if (subgroups !== null) {
    throw new FreshetError('INVALID_CONFIG', 'Both layout.file and subgroups are given', {
      mend: 'Leave one of them out',
    });
  }
  return cascadeLayout(await readText(layout.file), layout.file, layout);
}

/** The layout of a file of Cascade, given its text. Throws INVALID_CONFIG. */
export function cascadeLayout(
  text: string,
  source: string,
  { exclusive, nodeOffset }: Pick<LayoutSettings['layout'], 'exclusive' | 'nodeOffset'>,
): ConfiguredLayout {
  const read = readCascadeLayout(text, { source, nodeOffset });
  return { ...read, exclusive: exclusive ?? true };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new FreshetError('INVALID_CONFIG', `'${file}' cannot be read: ${messageOf(cause)}`, {
      mend: 'Correct layout.file, or leave it out',
      cause,
    });
  }
}
