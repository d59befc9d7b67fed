import type { Meta } from '../base/mod.ts';

/** What only a member's own store is asked; what every door shares is in platform/base. */

/** A trigger put that has arrived at this member. */
export interface TriggerEvent {
  readonly key: string;
  readonly shard: number;
  readonly value: Uint8Array;
  readonly meta: Meta;
  readonly eventTime: number | null;
  /** µs, this member's clock. */
  readonly time: number;
  /** The member that sent it. */
  readonly from: number;
}

/** Takes a trigger in; throws OVERLOADED when it cannot. Answered to the sender once it returns. */
export type TriggerHandler = (event: TriggerEvent) => Promise<void> | void;
