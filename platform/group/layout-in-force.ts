/**
 * The layout that a member goes by now: of the newest view that it had or was told of, else of its
 * configuration. The views decide alone: a layout that was prepared and lost is forgotten with its
 * view, and what the configuration says counts only until the layout is changed for the first time.
 *
 * Thread: event loop.
 */
import { isSameRules } from './layout-differences.ts';
import { Layout, type ShardLayout } from './layout.ts';
import { isSameLayout, type ViewLayout } from './view-layout.ts';

const ringsMark = '|rings:';

/** Rings of different sizes would be read as broken ones. */
export function fingerprintOf(layout: Layout, ringSize: number): string {
  return `${layout.fingerprint()}${ringsMark}${String(ringSize)}`;
}

/** What a member says of itself in its hello. */
interface Configured {
  readonly fingerprint: string;
  /** Version of the layout that it goes by; left out: its configuration's. */
  readonly layout?: number;
}

export class LayoutInForce {
  readonly #configured: Layout;
  readonly #ringSize: number;
  /** What members compare of their configurations. */
  readonly fingerprint: string;
  #given: ViewLayout | null = null;
  #now: Layout;
  /** That counted before: the ends of epochs that it had may still be asked for. */
  #before: Layout | null = null;
  /** Of a view that is on its way, where it has another one. */
  #coming: { readonly given: ViewLayout; readonly layout: Layout } | null = null;

  /** `ringSize`: bytes of each ring, from the configured layout and this member's budget. */
  constructor(configured: Layout, ringSize: number) {
    this.#configured = configured;
    this.#now = configured;
    this.#ringSize = ringSize;
    this.fingerprint = fingerprintOf(configured, ringSize);
  }

  get now(): Layout {
    return this.#now;
  }

  /** Null: as configured. */
  get given(): ViewLayout | null {
    return this.#given;
  }

  /** 1: as configured. */
  get version(): number {
    return this.#given?.version ?? 1;
  }

  /** Bytes of each ring of the epochs that begin from now on. */
  get ringSize(): number {
    return this.#given?.ringSize ?? this.#ringSize;
  }

  /** True: it is another one than before. */
  follow(given: ViewLayout | null): boolean {
    if (isSameLayout(given, this.#given)) return false;
    this.#given = given;
    this.#before = this.#now;
    this.#now = given === null ? this.#configured : Layout.ofView(this.#configured.members, given);
    return true;
  }

  /** A view with this layout is on its way; null: none is, or one without a layout. */
  expect(given: ViewLayout | null): void {
    if (given === null || isSameLayout(given, this.#given)) {
      this.#coming = null;
    } else if (!isSameLayout(given, this.#coming?.given ?? null)) {
      const layout = Layout.ofView(this.#configured.members, given);
      this.#coming = { given, layout };
    }
  }

  /**
   * By the view that is on its way, if it has it; by the layout before, if it was just taken away.
   * Throws INVALID_ARGUMENT: nobody knows it.
   */
  shard(shard: number): ShardLayout {
    const layouts = [this.#coming?.layout ?? null, this.#now, this.#before];
    const found = layouts.find((layout) => layout?.has(shard) === true);
    return (found ?? this.#now).shard(shard);
  }

  /** A change took it away with its subgroup: its number is not given again. */
  hasTakenAway(shard: number): boolean {
    return this.#given !== null && !this.#now.has(shard) && shard < this.#now.rules.nextShard;
  }

  /** Null: the configuration says the same. Else a line for people. */
  differenceFromConfigured(): string | null {
    if (isSameRules(this.#now.rules, this.#configured.rules)) return null;
    return (
      `the layout of the cluster, version ${String(this.version)}, counts, not the one in the ` +
      'configuration of this member, which is another (freshet layout show --config prints it)'
    );
  }

  /**
   * May that member and this one go on together? Members and rings have to be alike; subgroups too,
   * until the cluster has a layout of its own.
   */
  isAlike({ fingerprint, layout = 1 }: Configured): boolean {
    if (fingerprint === this.fingerprint) return true;
    const isGiven = Math.max(layout, this.version) > 1;
    return isGiven && membersIn(fingerprint) === membersIn(this.fingerprint);
  }

  /** How a member differs, to be read by people. */
  difference(node: number, { fingerprint }: Configured): string {
    const [mine, ringSize = ''] = this.fingerprint.split(ringsMark);
    const [theirs, size = ''] = fingerprint.split(ringsMark);
    return theirs === mine
      ? `member ${String(node)} has rings of ${size} bytes, this one of ${ringSize}: ` +
          'make memory.ringBudgetBytes alike'
      : `member ${String(node)} has other members or subgroups in its configuration; ` +
          'make them alike';
  }
}

/** The catalog, which comes first, has all members. */
function membersIn(fingerprint: string): string {
  return fingerprint.split(/[;|]/)[0] ?? '';
}
