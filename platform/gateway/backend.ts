import type {
  LayoutChange,
  LayoutReport,
  Logger,
  NativeDoorInfo,
  OutcomeSink,
  PutRequest,
  VerifyReport,
} from '../base/mod.ts';
import type { Door } from '../client/mod.ts';
import type { LayoutRequest, ShardMove } from '../group/mod.ts';
import type { DeployedPipeline, LambdaRuntime } from '../lambda/mod.ts';

/** What the doors of a member stand on. */
export interface Backend {
  readonly door: Door;
  /** Puts of the door, each of which is told as it ends. */
  readonly putEach: (requests: readonly PutRequest[], sink: OutcomeSink) => void;
  readonly lambdas: LambdaRuntime;
  /** Numbers for /metrics and the views, taken when asked. */
  readonly sample: () => MemberSample;
  /** Of all members; `quick`: compares only, reads no log. */
  readonly verify: (quick: boolean) => Promise<VerifyReport>;
  /** Who holds which shard now. */
  readonly layout: () => Promise<LayoutReport>;
  /** Resolves once the move has begun. */
  readonly moveShard: (move: ShardMove) => Promise<void>;
  /** Resolves once the change has begun. */
  readonly changeLayout: (request: LayoutRequest) => Promise<LayoutChange>;
  /** What a client of native doors is told, with a ticket. Throws UNSUPPORTED: none is open. */
  readonly nativeDoor: () => NativeDoorInfo;
  readonly log: Logger;
}

/** A member at one moment. Counters grow from its start; rates are the reader's difference. */
export interface MemberSample {
  readonly node: number;
  readonly view: number;
  /** ms since the Unix epoch. */
  readonly at: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly shards: readonly ShardSample[];
  /** Waits for slow members, of late. */
  readonly waits: readonly WaitSample[];
  readonly logs: LogSample;
  readonly clocks: ClockSample;
  readonly pipelines: readonly DeployedPipeline[];
}

/** The member's clock beside those of others, µs. */
export interface ClockSample {
  /** How far the clocks of the members that it is connected with are ahead of its own. */
  readonly offsets: readonly { readonly node: number; readonly aheadUs: number }[];
  /** The machine's clock is so far ahead of the one that the member goes by. */
  readonly stepUs: number;
  readonly heldBackUs: number;
  /** The newest time of the cluster is so far ahead of the member's clock. */
  readonly timeAheadUs: number;
}

/** How the member's logs are. All but `damaged` grow. */
export interface LogSample {
  /** Segments that are damaged and not mended yet. */
  readonly damaged: number;
  readonly repaired: number;
  readonly scrubbedBytes: number;
  readonly scrubPasses: number;
  /** Histories found to differ from those of other members. */
  readonly differences: number;
}

export interface ShardSample {
  readonly shard: number;
  readonly subgroup: string;
  readonly epoch: number;
  readonly deliveredVersion: number;
  readonly persistedVersion: number;
  /** Coded reason, or null while it runs or is observed. */
  readonly stopped: string | null;
  /**
   * The shard goes on without this member, which was slow: how old what it has may be, ms. null: it
   * does not observe the shard.
   */
  readonly observedLagMs: number | null;
}

/** This member was made to wait for another one in a shard. */
export interface WaitSample {
  readonly shard: number;
  readonly node: number;
  /** What it was waited for to have done with messages, or to do with blocks of large values. */
  readonly kind: 'received' | 'delivered' | 'persisted' | 'blocks';
  readonly waitedMs: number;
}
