import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import {
  checkPoolName,
  describeProblems,
  findProblems,
  FreshetError,
  messageOf,
  nearestName,
} from '../base/mod.ts';

const Strict = { additionalProperties: false } as const;

const EdgeSchema = Type.Object(
  { to: Type.String(), by: Type.Union([Type.Literal('put'), Type.Literal('triggerPut')]) },
  Strict,
);

const PoolSchema = Type.Object(
  {
    name: Type.String(),
    kind: Type.Union([
      Type.Literal('volatile'),
      Type.Literal('persistent'),
      Type.Literal('trigger'),
    ]),
    history: Type.Optional(Type.Integer({ minimum: 0 })),
    maxValueBytes: Type.Optional(Type.Integer({ minimum: 1 })),
    timeAxis: Type.Optional(Type.Union([Type.Literal('commit'), Type.Literal('event')])),
    schema: Type.Optional(
      Type.Union([Type.Literal('json'), Type.Literal('msgpack'), Type.Literal('raw')]),
    ),
    subgroup: Type.Optional(Type.String()),
  },
  Strict,
);

const LambdaUseSchema = Type.Object(
  {
    /** Module of the lambda, relative to the pipeline's file; its default export. */
    module: Type.String(),
    config: Type.Optional(Type.Unknown()),
    /** Per output of the lambda: where its emits go. */
    edges: Type.Optional(Type.Record(Type.String(), Type.Array(EdgeSchema))),
    workers: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 })),
    /** On a persistent pool: run at delivery, at the risk of seeing what a total restart undoes. */
    eager: Type.Optional(Type.Boolean()),
  },
  Strict,
);

const NodeSchema = Type.Object(
  { prefix: Type.String(), lambdas: Type.Array(LambdaUseSchema, { minItems: 1 }) },
  Strict,
);

/** `pipeline.json`: what an author writes. */
export const PipelineSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String()),
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]*$' }),
    /** Pools that the pipeline needs; those that exist with the same options are kept. */
    pools: Type.Optional(Type.Array(PoolSchema)),
    nodes: Type.Array(NodeSchema, { minItems: 1, maxItems: 256 }),
    /** Files that travel with it: name -> path relative to the pipeline's file. */
    assets: Type.Optional(Type.Record(Type.String(), Type.String())),
    /** Names the nodes at which a loop of edges is meant to stop by itself. */
    loops: Type.Optional(Type.Array(Type.String())),
  },
  Strict,
);

/** The part of a prepared pipeline that is neither bundle nor asset. */
export const PreparedSchema = Type.Object(
  {
    pools: Type.Array(PoolSchema),
    nodes: Type.Array(
      Type.Object(
        {
          prefix: Type.String(),
          lambda: Type.String(),
          version: Type.String(),
          bundle: Type.String({ pattern: '^[0-9a-f]{64}$' }),
          config: Type.Unknown(),
          edges: Type.Record(Type.String(), Type.Array(EdgeSchema)),
          on: Type.Union([Type.Literal('put'), Type.Literal('trigger'), Type.Literal('both')]),
          order: Type.Union([Type.Literal('key'), Type.Literal('none'), Type.Literal('single')]),
          dispatch: Type.Union([Type.Literal('one'), Type.Literal('all'), Type.Literal('primary')]),
          batch: Type.Object(
            {
              maxSize: Type.Integer({ minimum: 1, maximum: 1024 }),
              maxDelayMs: Type.Integer({ minimum: 0, maximum: 10_000 }),
            },
            Strict,
          ),
          timeoutMs: Type.Integer({ minimum: 1, maximum: 600_000 }),
          retries: Type.Object(
            {
              max: Type.Integer({ minimum: 0, maximum: 100 }),
              backoffMs: Type.Tuple([Type.Number({ minimum: 0 }), Type.Number({ minimum: 0 })]),
            },
            Strict,
          ),
          workers: Type.Integer({ minimum: 1, maximum: 64 }),
          eager: Type.Boolean(),
        },
        Strict,
      ),
      { minItems: 1, maxItems: 256 },
    ),
    assets: Type.Record(Type.String(), Type.String({ pattern: '^[0-9a-f]{64}$' })),
  },
  Strict,
);

export type PipelineDocument = Static<typeof PipelineSchema>;
export type Edge = Static<typeof EdgeSchema>;

/** One lambda at one prefix, complete: as the catalog holds it and members run it. */
export interface LambdaNode {
  readonly prefix: string;
  readonly lambda: string;
  readonly version: string;
  /** SHA-256 of the bundle, hex. */
  readonly bundle: string;
  readonly config: unknown;
  readonly edges: Readonly<Record<string, readonly Edge[]>>;
  readonly on: 'put' | 'trigger' | 'both';
  readonly order: 'key' | 'none' | 'single';
  readonly dispatch: 'one' | 'all' | 'primary';
  readonly batch: { readonly maxSize: number; readonly maxDelayMs: number };
  readonly timeoutMs: number;
  readonly retries: { readonly max: number; readonly backoffMs: readonly [number, number] };
  readonly workers: number;
  readonly eager: boolean;
}

/** A pipeline in force. */
export interface DeployedPipeline {
  readonly v: 1;
  readonly name: string;
  readonly nodes: readonly LambdaNode[];
  /** Asset name -> SHA-256, hex. */
  readonly assets: Readonly<Record<string, string>>;
  /** Shard -> the place after which it acts: what was there before the deploy is not its. */
  readonly starts: Readonly<Record<string, { readonly epoch: number; readonly version: number }>>;
  /** µs; which of two deploys is newer. */
  readonly deployedAt: number;
}

/**
 * Checks the form of a pipeline file; throws INVALID_PIPELINE naming the place and the nearest key.
 */
export function parsePipeline(value: unknown, source: string): PipelineDocument {
  const problems = findProblems(PipelineSchema, value);
  if (problems.length > 0 || !Value.Check(PipelineSchema, value)) {
    throw pipelineError(source, describeProblems(problems));
  }
  for (const [place, path] of pathsOf(value)) checkPath(source, place, path);
  checkLoops(value, source);
  return value;
}

function pipelineError(source: string, what: string, mend?: string): FreshetError {
  const options = mend === undefined ? {} : { mend };
  return new FreshetError('INVALID_PIPELINE', `${source}: ${what}`, options);
}

/** Every pool name, prefix and target, with its place in the file. */
function pathsOf({ pools, nodes }: PipelineDocument): readonly (readonly [string, string])[] {
  const at = (list: string, nth: number) => `${list}[${String(nth)}]`;
  return [
    ...(pools ?? []).map(({ name }, nth) => [`${at('pools', nth)}.name`, name] as const),
    ...nodes.flatMap(({ prefix, lambdas }, nth) => [
      [`${at('nodes', nth)}.prefix`, prefix] as const,
      ...lambdas.flatMap(({ edges }, use) =>
        Object.entries(edges ?? {}).flatMap(([output, targets]) =>
          targets.map(({ to }, edge) => {
            const place = `${at('nodes', nth)}.${at('lambdas', use)}.edges.${at(output, edge)}.to`;
            return [place, to] as const;
          }),
        ),
      ),
    ]),
  ];
}

function checkPath(source: string, place: string, path: string): void {
  try {
    checkPoolName(path);
  } catch (error) {
    throw pipelineError(source, `${place}: ${messageOf(error)}`);
  }
}

/** An edge leads to every node whose prefix is above or equal to its target. */
function checkLoops(document: PipelineDocument, source: string): void {
  const targets = new Map<string, readonly string[]>();
  for (const { prefix, lambdas } of document.nodes) {
    const edges = lambdas.flatMap((use) => Object.values(use.edges ?? {}).flat());
    targets.set(prefix, [...(targets.get(prefix) ?? []), ...edges.map(({ to }) => to)]);
  }
  for (const stop of document.loops ?? []) {
    if (targets.has(stop)) continue;
    const near = nearestName(stop, [...targets.keys()]);
    const hint = near === null ? '' : ` (did you mean '${near}'?)`;
    throw pipelineError(source, `loops: no node has the prefix '${stop}'${hint}`);
  }
  const next = (prefix: string) =>
    [...targets.keys()].filter((node) =>
      (targets.get(prefix) ?? []).some((to) => to === node || to.startsWith(`${node}/`)),
    );
  const stops = new Set(document.loops ?? []);
  const finished = new Set<string>();
  const visit = (prefix: string, path: readonly string[]): void => {
    if (path.includes(prefix)) {
      const loop = [...path.slice(path.indexOf(prefix)), prefix].join(' -> ');
      throw pipelineError(
        source,
        `the edges go round: ${loop}`,
        "Remove an edge, or name a node of the loop under 'loops' if its lambda ends it",
      );
    }
    if (finished.has(prefix) || stops.has(prefix)) return;
    for (const node of next(prefix)) visit(node, [...path, prefix]);
    finished.add(prefix);
  };
  for (const prefix of targets.keys()) visit(prefix, []);
}
