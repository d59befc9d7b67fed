import type { Clock, Logger, Random } from '../base/mod.ts';
import type { Layout } from './layout.ts';
import type { ShardFolders } from './left-logs.ts';
import type { LogCareConfig } from './log-care.ts';
import type { Tenants } from './machine-types.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';
import type { RecordFiles } from './record-files.ts';
import type { ViewRecord } from './view-record.ts';

export interface MemberAddress {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface GroupOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly layout: Layout;
  readonly members: readonly MemberAddress[];
  /** The address of a host's name; rejects when it has none. */
  readonly lookUp: (host: string) => Promise<string>;
  readonly dataFolder: string;
  readonly recordFiles: RecordFiles;
  readonly record: ViewRecord;
  readonly ringBudgetBytes: number;
  readonly shardMemoryBytes: number;
  readonly logCare: LogCareConfig;
  /** What is done with the logs of shards that this member left; null: they stay. */
  readonly leftLogs: { readonly folders: ShardFolders; readonly keepMs: number } | null;
  /** How long a lost member keeps its places before spares get them; null: for ever. */
  readonly replaceAfterMs: number | null;
  /** Clocks of members may differ by so much. */
  readonly maxClockSkewMs: number;
  readonly tenants: Tenants;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}
