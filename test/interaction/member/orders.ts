export interface StallOrder {
  readonly leastMs: number;
  readonly mostMs: number;
  /** The member that is killed meanwhile. */
  readonly without: number;
}

export interface StallReport {
  /** Of the view that was installed when the event loop went on. */
  readonly members: readonly number[];
  readonly ms: number;
}

/** How the group stands at a member. */
export interface MemberLook {
  /** Of the view; 0: none yet. */
  readonly number: number;
  /** All shards of the member answer. */
  readonly running: boolean;
  readonly leader: number | null;
  readonly problem: string | null;
  /** Of the installed view, by node id in rank order; without one nobody. */
  readonly members: readonly number[];
}
