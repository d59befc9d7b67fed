/** What the group machine (group-machine.ts) is told, and what it asks to be done. Plain data. */
import type { ClockOffset } from './clock-offsets.ts';
import type { Apart, Attempt, Fill, GroupMessage, ShardReport } from './group-messages.ts';
import type { CoreState } from './group-state.ts';
import type { Closing } from './machine-types.ts';
import type { ShardMove } from './shard-moves.ts';
import type { Lag, Observation } from './slow-members.ts';
import type { CoreView } from './view-codec.ts';
import type { ViewLayout } from './view-layout.ts';
import type { ViewRecord } from './view-record.ts';

export type GroupEvent =
  | { readonly type: 'begin' }
  | { readonly type: 'peer'; readonly node: number; readonly up: boolean }
  | { readonly type: 'message'; readonly from: number; readonly message: unknown }
  /** The core's views changed. */
  | { readonly type: 'core'; readonly core: CoreState; readonly proposal: CoreView | null }
  /** The clock of another member was compared with mine; my machine's is `stepUs` ahead of mine. */
  | {
      readonly type: 'clock';
      readonly node: number;
      readonly offset: ClockOffset;
      readonly stepUs: number;
    }
  /** My clock goes on from so much later. */
  | { readonly type: 'clockShifted'; readonly byUs: number }
  /** The shards of this member that may not go on here are others now. */
  | { readonly type: 'refused'; readonly shards: readonly number[] }
  /** This member was made to wait for another one. */
  | { readonly type: 'lag'; readonly lag: Lag }
  /** A shard that it observes keeps up with the others, or no more. */
  | { readonly type: 'keepsUp'; readonly shard: number; readonly ready: boolean }
  /** The core found that the others went on without it, or it cannot go along. */
  | { readonly type: 'outdated'; readonly why: string }
  /** The disk of this member failed, or can be written again. */
  | { readonly type: 'disk'; readonly failed: boolean }
  /** Outcome of readStates (with the record on disk), stopShards and fill. */
  | {
      readonly type: 'states';
      readonly attempt: Attempt;
      readonly shards: readonly Position[];
      readonly record: ViewRecord | null;
    }
  /** Outcome of prepare and start. */
  | { readonly type: 'done'; readonly attempt: Attempt }
  /** Outcome of whatever was asked for with an attempt, but for admit. */
  | { readonly type: 'failed'; readonly attempt: Attempt; readonly reason: string }
  /** Outcome of admit and of propose. A reason: it failed. */
  | {
      readonly type: 'admitted';
      readonly attempt: Attempt;
      readonly reason: string | null;
      readonly shards: readonly Position[];
    }
  | { readonly type: 'proposed'; readonly attempt: Attempt; readonly taken: boolean }
  /** What admit asked for goes on. */
  | { readonly type: 'filling'; readonly attempt: Attempt }
  /** Somebody wants this, and it is possible (move-checks.ts). */
  | { readonly type: 'move'; readonly move: ShardMove }
  /** Somebody wants the layout to become this, and it is possible (layout-change.ts). */
  | { readonly type: 'layout'; readonly layout: ViewLayout }
  /** Outcome of close. */
  | { readonly type: 'closed'; readonly closing: Closing; readonly done: boolean }
  /** This member is about to leave its view. */
  | { readonly type: 'leaving' }
  | { readonly type: 'tick' };

/** What the native side knows of a shard's history. */
export type Position = Pick<ShardReport, 'shard' | 'epoch' | 'sequence' | 'version' | 'digest'>;

export type GroupEffect =
  | { readonly type: 'send'; readonly to: number; readonly message: GroupMessage }
  | { readonly type: 'readStates'; readonly attempt: Attempt }
  | {
      readonly type: 'stopShards';
      readonly attempt: Attempt;
      readonly shards: readonly number[];
      /** To be durable before what is stopped is reported. */
      readonly offered: number;
    }
  | { readonly type: 'fill'; readonly attempt: Attempt; readonly fills: readonly Fill[] }
  /** Make my epochs of the view, write the record. */
  | {
      readonly type: 'prepare';
      readonly attempt: Attempt;
      readonly view: CoreView;
      readonly record: ViewRecord;
    }
  | {
      readonly type: 'start';
      readonly attempt: Attempt;
      readonly view: CoreView;
      readonly record: ViewRecord;
    }
  | {
      readonly type: 'admit';
      readonly attempt: Attempt;
      /** These stand still here, and stay so. */
      readonly sealed: readonly number[];
      readonly fills: readonly Fill[];
      /** Whose positions are asked for. */
      readonly shards: readonly number[];
    }
  | { readonly type: 'propose'; readonly attempt: Attempt; readonly view: CoreView }
  /** No pool is to be made any more in subgroups that are about to go. */
  | { readonly type: 'close'; readonly closing: Closing }
  /** The view is to go on without this member, which is too slow. */
  | { readonly type: 'accuse'; readonly attempt: Attempt; readonly node: number }
  /** Follow these shards, in place of those before. */
  | { readonly type: 'observe'; readonly shards: readonly Observation[] }
  /** My history is not that of most. */
  | { readonly type: 'refuse'; readonly apart: Apart }
  /** The disk failed: find out when it can be written again. */
  | { readonly type: 'heal' }
  /** Become another incarnation without a view. */
  | { readonly type: 'renew'; readonly why: string }
  | { readonly type: 'changed' }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly text: string };
