/** What the group machine (group-machine.ts) is made of, and what it tells at any time. */
import type { Layout } from './layout.ts';
import type { RestartPhase } from './restart-leader.ts';
import type { ViewRecord } from './view-record.ts';

/** The view with this number, the next one, may take these subgroups away. */
export interface Closing {
  readonly view: number;
  /** `first`: its first shard. None: it takes none away, whatever was said before. */
  readonly subgroups: readonly { readonly name: string; readonly first: number }[];
}

/** What lives in subgroups: the affair of the room above (store). */
export interface Tenants {
  /** Names of the pools that live in a subgroup, as far as this member knows. */
  readonly poolsIn: (subgroup: string) => readonly string[];
  /** Resolves once every pool that was made before is known here. Rejects as a read does. */
  readonly catchUp: () => Promise<void>;
  /**
   * Has no pool made in these any more, until a view with that number or a later one is installed.
   * False: a pool lives in one of them. Rejects: it may have been done, or not.
   */
  readonly close: (closing: Closing) => Promise<boolean>;
}

export interface MachineOptions {
  readonly me: number;
  /** As configured. */
  readonly layout: Layout;
  /** Random, new with every start of this process; below 2^48. */
  readonly run: number;
  /** Of the core: 16 hexadecimal digits. */
  readonly incarnation: string;
  readonly record: ViewRecord;
  /** Bytes of each ring. */
  readonly ringSize: number;
  /** How long a lost member keeps its places; null: for ever. */
  readonly replaceAfterMs: number | null;
  readonly poolsIn: Tenants['poolsIn'];
  /** Clocks of members may differ by so much. */
  readonly maxClockSkewMs: number;
  readonly nowMs: number;
}

/** What can be told about the group at any time. */
export interface GroupStatus {
  /** Number of the installed view; 0: none. */
  readonly view: number;
  /** Its node ids in rank order; empty: none. */
  readonly members: readonly number[];
  /** The lowest of its members; of all that are configured when there is none. */
  readonly leader: number;
  /** Every shard of mine runs. */
  readonly running: boolean;
  /** Members that are not connected with me. */
  readonly missing: readonly number[];
  readonly phase: RestartPhase;
  /** Why the last attempt failed, until one succeeds. */
  readonly problem: string | null;
  /** The others do not let this member in, whoever is there. */
  readonly refused: boolean;
  /** Messages that belonged nowhere. */
  readonly ignored: number;
}
