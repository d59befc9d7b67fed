/** Upper bounds of the buckets of {@link StageMetrics.startDelay}, µs. */
export const delayBucketsMicros: readonly number[] = [
  100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 10_000, 20_000, 50_000, 100_000, 500_000,
];

/** What one stage has done since it started, for /metrics and the terminal view. */
export class StageMetrics {
  arrived = 0;
  succeeded = 0;
  /** Events that ended as dead letters. */
  failed = 0;
  /** Runs that threw or ran out of time, tries included. */
  thrown = 0;
  /** Triggers refused for want of room. */
  refused = 0;
  /** Versions pruned before they could run. */
  skipped = 0;
  /** Runs by the time from the input's commit to the lambda's first line; last: longer. */
  readonly startDelay: number[] = new Array<number>(delayBucketsMicros.length + 1).fill(0);

  /** `at`: ms since the Unix epoch. */
  onBegan(at: number, items: readonly { readonly time: number }[]): void {
    for (const { time } of items) {
      const micros = at * 1000 - time;
      const bucket = delayBucketsMicros.findIndex((bound) => micros <= bound);
      const index = bucket === -1 ? delayBucketsMicros.length : bucket;
      this.startDelay[index] = (this.startDelay[index] ?? 0) + 1;
    }
  }
}
