/**
 * Reads Cascade's `layout.json` (Derecho's `json_layout`) as it is. Its form: an array with one
 * element for each type of subgroup, `{type_alias, layout: [subgroup …]}`; of each subgroup arrays
 * with one entry a shard. Numbers may be numbers or digits in quotes; quotation marks around the
 * whole, as in a configuration file of GetPot, are passed over. (Sources: README.md and
 * src/conf/derecho-sample.cfg of Derecho, src/service/README.md of Cascade.)
 *
 * What is different here is told in notes: members are numbered from 1, so Cascade's node n is
 * member n + 1; the metadata service is the catalog, which every member holds; profiles tune what
 * tunes itself.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { check, describeProblems, findProblems, FreshetError, nearestName } from '../base/mod.ts';
import type { Delivery, ShardOptions, SubgroupKind, SubgroupOptions } from './layout-options.ts';

export interface CascadeLayout {
  readonly subgroups: readonly SubgroupOptions[];
  /** What the file says that is otherwise here, for people. */
  readonly notes: readonly string[];
}

export interface CascadeOptions {
  /** What the text came from, to be named in errors: a file's path. */
  readonly source: string;
  /** What is added to a node id to get a member id. Default 1. */
  readonly nodeOffset?: number;
}

const count = Type.Union([
  Type.Integer({ minimum: 1, maximum: 0xffff }),
  Type.String({ pattern: '^[1-9][0-9]{0,4}$' }),
]);
const node = Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^\\*?[0-9]+$' })]);

const SubgroupLayout = Type.Object({
  min_nodes_by_shard: Type.Array(count, { minItems: 1 }),
  max_nodes_by_shard: Type.Array(count, { minItems: 1 }),
  reserved_node_ids_by_shard: Type.Optional(Type.Array(Type.Array(node))),
  delivery_modes_by_shard: Type.Array(Type.Union([Type.Literal('Ordered'), Type.Literal('Raw')])),
  profiles_by_shard: Type.Array(Type.String()),
});

const TypeLayout = Type.Object({
  type_alias: Type.Optional(Type.String()),
  layout: Type.Array(SubgroupLayout),
});

const LayoutFile: TSchema = Type.Array(TypeLayout, { minItems: 1 });

type SubgroupLayout = Static<typeof SubgroupLayout>;
type TypeLayout = Static<typeof TypeLayout>;
type CascadeKind = SubgroupKind | 'metadata';

/** In the order in which Cascade's service declares them. */
const typesInOrder: readonly (readonly [string, CascadeKind])[] = [
  ['CascadeMetadataService', 'metadata'],
  ['VolatileCascadeStoreWithStringKey', 'volatile'],
  ['PersistentCascadeStoreWithStringKey', 'persistent'],
  ['TriggerCascadeNoStoreWithStringKey', 'trigger'],
];

/** Short names of its types, by key: of 64-bit numbers (U) and of strings (S). */
const shortTypes: ReadonlyMap<string, SubgroupKind> = new Map([
  ['VCSU', 'volatile'],
  ['VCSS', 'volatile'],
  ['PCSU', 'persistent'],
  ['PCSS', 'persistent'],
  ['TCSU', 'trigger'],
  ['TCSS', 'trigger'],
]);

/** Throws INVALID_CONFIG, which names the file, the place and the nearest fix. */
export function readCascadeLayout(text: string, options: CascadeOptions): CascadeLayout {
  const { source, nodeOffset = 1 } = options;
  check(nodeOffset === 0 || nodeOffset === 1, 'nodes are numbered from 0 or from 1');
  const types = parseLayout(text, source);
  const reading = new Reading(source, nodeOffset);
  types.forEach((type, nth) => {
    reading.addType(type, nth);
  });
  return reading.result();
}

function parseLayout(text: string, source: string): readonly TypeLayout[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.trim().replace(/^'/, '').replace(/'$/, ''));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FreshetError('INVALID_CONFIG', `In ${source}: it is no JSON: ${why}`, { cause });
  }
  const problems = findProblems(LayoutFile, parsed);
  if (problems.length > 0) {
    throw new FreshetError('INVALID_CONFIG', `In ${source}: ${describeProblems(problems)}`, {
      details: { source, problems: problems.length, first: problems[0]?.path ?? '' },
    });
  }
  return parsed as readonly TypeLayout[];
}

/** One file being read; what it yields so far. */
class Reading {
  readonly #source: string;
  readonly #nodeOffset: number;
  readonly #subgroups: SubgroupOptions[] = [];
  readonly #notes = new Set<string>();
  readonly #ofKind = new Map<SubgroupKind, number>();

  constructor(source: string, nodeOffset: number) {
    this.#source = source;
    this.#nodeOffset = nodeOffset;
  }

  result(): CascadeLayout {
    return { subgroups: this.#subgroups, notes: [...this.#notes] };
  }

  addType({ type_alias: alias, layout }: TypeLayout, nth: number): void {
    const kind = this.#kindOf(alias, nth);
    if (kind === 'metadata') {
      this.#notes.add('The metadata service is the catalog, which every member holds');
      return;
    }
    layout.forEach((subgroup, place) => {
      const before = this.#ofKind.get(kind) ?? 0;
      this.#ofKind.set(kind, before + 1);
      // The first of a kind is the one that pools lie in by default.
      const name = before === 0 ? kind : `${kind}-${String(before)}`;
      const where = `[${String(nth)}].layout[${String(place)}]`;
      const shards = this.#shardsOf(subgroup, where, kind === 'trigger');
      this.#subgroups.push({ name, kind, shards, replicas: null });
    });
  }

  /** By its alias; without one, by its place, which is all that Derecho looks at. */
  #kindOf(alias: string | undefined, nth: number): CascadeKind {
    const named = typesInOrder.find(([name]) => name === alias)?.[1];
    const kind = named ?? shortTypes.get(alias ?? '');
    if (kind !== undefined) {
      return kind;
    }
    const placed = typesInOrder[nth]?.[1];
    if (alias === undefined && placed !== undefined) {
      return placed;
    }
    const known = [...typesInOrder.map(([name]) => name), ...shortTypes.keys()];
    const nearest = nearestName(alias ?? '', known);
    throw this.#error(
      `[${String(nth)}].type_alias is ${alias === undefined ? 'missing' : `'${alias}'`}`,
      nearest === null ? `Name one of ${known.join(', ')}` : `Did you mean ${nearest}?`,
    );
  }

  #shardsOf(subgroup: SubgroupLayout, place: string, mayBeRaw: boolean): readonly ShardOptions[] {
    const mins = subgroup.min_nodes_by_shard;
    const reserved = subgroup.reserved_node_ids_by_shard ?? [];
    for (const [name, list] of Object.entries(subgroup)) {
      const isLeftOut = name === 'reserved_node_ids_by_shard' && list.length === 0;
      if (list.length !== mins.length && !isLeftOut) {
        throw this.#error(
          `${place}.${name} has ${String(list.length)} entries, min_nodes_by_shard ` +
            `has ${String(mins.length)}`,
          'Give each of them one entry for every shard',
        );
      }
    }
    this.#noteProfiles(subgroup.profiles_by_shard);
    return mins.map((min, index): ShardOptions => {
      const where = `${place}, shard ${String(index)}`;
      const nodes = this.#membersOf(reserved[index] ?? []);
      const max = this.#maximum(
        Number(subgroup.max_nodes_by_shard[index]),
        nodes.all.length,
        Number(min),
        where,
      );
      return {
        minReplicas: Number(min),
        replicas: max,
        reserved: nodes.all,
        ...(nodes.senders.length > 0 ? { senders: nodes.senders } : {}),
        delivery: this.#deliveryOf(subgroup.delivery_modes_by_shard[index], where, mayBeRaw),
      };
    });
  }

  #deliveryOf(mode: string | undefined, where: string, mayBeRaw: boolean): Delivery {
    if (mode === 'Raw' && !mayBeRaw) {
      this.#notes.add(`${where}: Raw is Ordered, as what is stored has versions`);
    }
    return mode === 'Raw' && mayBeRaw ? 'raw' : 'ordered';
  }

  /** Cascade takes all reserved nodes in, also more than the maximum. */
  #maximum(max: number, reserved: number, min: number, where: string): number {
    if (min > max) {
      throw this.#error(
        `${where}: min_nodes_by_shard is ${String(min)}, max_nodes_by_shard ${String(max)}`,
        `Set min_nodes_by_shard to ${String(max)}, or max_nodes_by_shard to ${String(min)}`,
      );
    }
    if (reserved > max) {
      const counts = `${String(reserved)} nodes are reserved, so that many may hold it`;
      this.#notes.add(`${where}: ${counts}, not ${String(max)}`);
    }
    return Math.max(max, reserved);
  }

  #membersOf(nodes: readonly (string | number)[]): {
    readonly all: readonly number[];
    readonly senders: readonly number[];
  } {
    const memberOf = (entry: string | number) =>
      Number(String(entry).replace('*', '')) + this.#nodeOffset;
    if (nodes.length > 0 && this.#nodeOffset > 0) {
      this.#notes.add('Members are numbered from 1: node n is member n + 1');
    }
    const starred = nodes.filter((entry) => String(entry).startsWith('*'));
    return { all: nodes.map(memberOf), senders: starred.map(memberOf) };
  }

  #noteProfiles(profiles: readonly string[]): void {
    const named = profiles.filter((profile) => profile.toUpperCase() !== 'DEFAULT');
    if (named.length > 0) {
      const list = [...new Set(named)].join(', ');
      this.#notes.add(`Profiles (${list}) say nothing here: rings and batches size themselves`);
    }
  }

  #error(message: string, mend: string): FreshetError {
    const details = { source: this.#source };
    return new FreshetError('INVALID_CONFIG', `In ${this.#source}: ${message}`, { mend, details });
  }
}
