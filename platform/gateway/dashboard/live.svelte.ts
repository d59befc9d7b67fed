import { getJson, type Sample, type View } from './api.ts';

const pollMs = 1000;
/** Points of the charts, one a second. */
const pointsMax = 120;
/** Seconds over which latencies are taken. */
const latencySeconds = 15;

/** Rates at one second; null: there was nothing to compare with. */
export interface Point {
  /** s since 1970. */
  readonly at: number;
  readonly delivered: number | null;
  readonly events: number | null;
}

/**
 * What the member says of itself, asked every second. Rates are differences of its counters; after
 * a silence or a restart they begin anew instead of showing a leap.
 */
export class Live {
  view = $state.raw<View | null>(null);
  sample = $state.raw<Sample | null>(null);
  points = $state.raw<readonly Point[]>([]);
  /** Start delay of lambdas over the last seconds, ms. */
  p50 = $state.raw<number | null>(null);
  p99 = $state.raw<number | null>(null);
  isReachable = $state(true);
  /** The member's clock minus ours, ms. */
  clockOffset = 0;
  #samples: Sample[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isStopped = false;

  start(): void {
    void this.#poll();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** The member's time, ms since 1970. */
  now(): number {
    return Date.now() + this.clockOffset;
  }

  async #poll(): Promise<void> {
    try {
      const [view, sample] = await Promise.all([
        getJson<View>('/v1/members'),
        getJson<Sample>('/v1/sample'),
      ]);
      this.isReachable = true;
      this.#take(view, sample);
    } catch {
      this.isReachable = false;
      this.#samples = [];
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#poll(), pollMs);
  }

  #take(view: View, sample: Sample): void {
    this.clockOffset = sample.at - Date.now();
    const before = this.#samples.at(-1);
    const isNewRun = before !== undefined && events(before) > events(sample);
    if (isNewRun) this.#samples = [];
    this.#samples = [...this.#samples, sample].slice(-latencySeconds - 1);
    this.view = view;
    this.sample = sample;
    const last = isNewRun ? undefined : before;
    const seconds = last === undefined ? 0 : (sample.at - last.at) / 1000;
    const per = (of: (sample: Sample) => number) =>
      last === undefined || seconds <= 0 ? null : Math.max(0, (of(sample) - of(last)) / seconds);
    const point = { at: sample.at / 1000, delivered: per(delivered), events: per(events) };
    this.points = [...this.points, point].slice(-pointsMax);
    this.#measureDelays();
  }

  #measureDelays(): void {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined) return;
    const bounds = last.stages[0]?.delayBucketsMicros ?? [];
    const then = delays(first);
    const counts = delays(last).map((value, i) => value - (then[i] ?? 0));
    this.p50 = percentile(counts, bounds, 0.5);
    this.p99 = percentile(counts, bounds, 0.99);
  }
}

function delivered({ shards }: Sample): number {
  return shards.reduce((sum, { deliveredVersion }) => sum + deliveredVersion, 0);
}

function events({ stages }: Sample): number {
  return stages.reduce((sum, { succeeded, failed }) => sum + succeeded + failed, 0);
}

function delays({ stages }: Sample): number[] {
  const sums: number[] = [];
  for (const { startDelay } of stages) {
    startDelay.forEach((value, i) => {
      sums[i] = (sums[i] ?? 0) + value;
    });
  }
  return sums;
}

/** In ms, even within a bucket; null without a run. Above all buckets counts as the last. */
export function percentile(
  counts: readonly number[],
  boundsMicros: readonly number[],
  part: number,
): number | null {
  const total = counts.reduce((sum, value) => sum + Math.max(0, value), 0);
  if (total <= 0) return null;
  let below = 0;
  for (const [i, value] of counts.entries()) {
    const wanted = part * total - below;
    if (value > 0 && wanted <= value) {
      const low = i === 0 ? 0 : (boundsMicros[i - 1] ?? 0);
      const high = boundsMicros[i] ?? low;
      return (low + ((high - low) * wanted) / value) / 1000;
    }
    below += Math.max(0, value);
  }
  return (boundsMicros.at(-1) ?? 0) / 1000;
}
