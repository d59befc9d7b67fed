/**
 * What members of a channel send each other. All of it may arrive twice, late and out of order; it
 * arrives unless one of both ends or leaves the view.
 */

/** `mcast`: none; `fbcast`: as its sender sent; `cbcast`: never before what its sender had seen. */
export type CastOrder = 'mcast' | 'fbcast' | 'cbcast';

/** One message of a channel. */
export interface Cast {
  /** Node id of its sender. */
  readonly sender: number;
  /** Of the sender in this view, from 1, over all orders. */
  readonly seq: number;
  readonly order: CastOrder;
  /** Of the sender in this view and this order, from 1. */
  readonly nth: number;
  /**
   * cbcast: per rank of the view how many cbcasts the sender had delivered, this one included; a
   * vector timestamp (Birman, Schiper, Stephenson, "Lightweight causal and atomic group multicast",
   * 1991). Else empty.
   */
  readonly clock: readonly number[];
  readonly bytes: Uint8Array;
}

/** A view that ended, for those who do not know yet how. */
export interface Closing {
  /** Number of the view that ended, and of the one that came after it. */
  readonly from: number;
  readonly to: number;
  /** Of the view after it, in rank order. */
  readonly members: readonly number[];
  /** Delivered before its end by all who went on; what they had all received before is left out. */
  readonly casts: readonly Cast[];
}

export type CastMessage =
  | { readonly type: 'cast'; readonly view: number; readonly cast: Cast }
  | {
      readonly type: 'ack';
      readonly view: number;
      /** Per rank of the view: all casts of that sender up to this seq. */
      readonly received: readonly number[];
      readonly delivered: readonly number[];
      /** Version of the newest abcast that was delivered. */
      readonly ordered: number;
    }
  | {
      readonly type: 'flush';
      /** The view to be installed. */
      readonly target: number;
      /** The view that the sender is in; 0: none. */
      readonly from: number;
      /** Of `from`: what not all members are known to have. */
      readonly casts: readonly Cast[];
      /** Of views between `from` and `target`, which the sender could not install. */
      readonly ahead: readonly { readonly view: number; readonly cast: Cast }[];
      /** Ends of views that not all members are known to have left behind. */
      readonly closings: readonly Closing[];
    };

export type FlushMessage = Extract<CastMessage, { type: 'flush' }>;
export type AckMessage = Extract<CastMessage, { type: 'ack' }>;
