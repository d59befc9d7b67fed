/**
 * The deployed dairy pipeline under real frames: enrols cows, sends JPEGs as a camera does and
 * reads what was seen.
 *
 * Owning thread: the event loop. Invariants:
 * 1. A frame's name is sent once; what was seen of it is kept under that name.
 * 2. At most `inFlightMax` frames are sent and neither seen nor known to be done.
 */
import { isFreshetError } from '../../../platform/client/mod.ts';
import type { Sighting } from '../../../pipelines/dairy/lambdas/values.ts';
import { type BenchCluster, deployPipeline, startBenchCluster } from '../bench-cluster.ts';
import { stagesOf } from './stages.ts';

/** What enrols a cow: ordinary pictures of her. */
export interface EnrolmentPicture {
  readonly cow: string;
  readonly name: string;
  readonly jpeg: Uint8Array;
}

const inFlightMax = 48;
const retryMs = 5;
const pollMs = 100;
const settleTimeoutMs = 120_000;
const storage = '/dairy/storage/';
const frontEnd = '/dairy/front_end';
const enrol = '/dairy/enrol';

export class DairyRig {
  readonly cluster: BenchCluster;
  /** By frame name; a frame without an entry was not seen with a cow in it. */
  readonly sightings = new Map<string, Sighting>();
  readonly #abort = new AbortController();
  /** ms of the monotonic clock. */
  lastSightingMs = 0;
  #sent = 0;

  private constructor(cluster: BenchCluster) {
    this.cluster = cluster;
    void this.#follow();
  }

  /** @param pipeline path of a pipeline.json in the form of the dairy pipeline's */
  static async open(folder: string, pipeline: string): Promise<DairyRig> {
    const cluster = await startBenchCluster(folder);
    try {
      await deployPipeline(cluster.door, pipeline);
      return new DairyRig(cluster);
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** Returns how many of the pictures showed a cow to the filter and are now in the pool. */
  async enrol(pictures: readonly EnrolmentPicture[]): Promise<number> {
    for (const { cow, name, jpeg } of pictures) {
      await this.#trigger(`${enrol}/${cow}/${name}`, jpeg);
    }
    await this.#whenDone(enrol, pictures.length);
    let enrolled = 0;
    const prefix = '/dairy/enrolled/';
    for await (const key of this.cluster.door.list({ prefix })) enrolled += key === '' ? 0 : 1;
    return enrolled;
  }

  /** Sends one frame; waits while too many are under way. */
  async send(name: string, jpeg: Uint8Array): Promise<void> {
    await this.#trigger(`${frontEnd}/${name}`, jpeg);
    this.#sent++;
  }

  /** How many frames may be under way when only frames with a cow are sent. */
  get isFull(): boolean {
    return this.#sent - this.sightings.size >= inFlightMax;
  }

  /** Until every stage has done all that was sent. Rejects after two minutes without an end. */
  async settle(): Promise<void> {
    await this.#whenDone(frontEnd, this.#sent);
    await this.#whenQuiet();
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.cluster.close();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#abort;
    const { door } = this.cluster;
    try {
      for await (const { object } of door.watch({ prefix: storage, from: 'start', signal })) {
        const [, ...name] = object.key.slice(storage.length).split('/');
        const text = Buffer.from(object.value ?? []).toString('utf8');
        this.sightings.set(name.join('/'), JSON.parse(text) as Sighting);
        this.lastSightingMs = performance.now();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #trigger(key: string, value: Uint8Array): Promise<void> {
    const until = performance.now() + settleTimeoutMs;
    for (;;) {
      try {
        await this.cluster.door.triggerPut({ key, value, meta: { 'content-type': 'image/jpeg' } });
        return;
      } catch (error) {
        // A full queue is no loss: the camera waits.
        if (!isFreshetError(error, 'OVERLOADED') || performance.now() > until) throw error;
        await pause(retryMs);
      }
    }
  }

  async #whenDone(prefix: string, count: number): Promise<void> {
    await this.#until(`${String(count)} events of ${prefix}`, async () => {
      const stages = await stagesOf(this.cluster.ports, prefix);
      const done = stages.reduce((sum, { succeeded, failed }) => sum + succeeded + failed, 0);
      return done >= count;
    });
    await this.#whenQuiet();
  }

  /** Nothing waits or runs anywhere, and nothing arrived between two looks. */
  async #whenQuiet(): Promise<void> {
    let before = '';
    await this.#until('all stages', async () => {
      const stages = await stagesOf(this.cluster.ports, '/dairy/');
      const busy = stages.some(({ waiting, inFlight }) => waiting + inFlight > 0);
      const now = JSON.stringify([stages.map(({ arrived }) => arrived), this.sightings.size]);
      const isQuiet = !busy && now === before;
      before = now;
      return isQuiet;
    });
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + settleTimeoutMs;
    while (!(await holds())) {
      if (performance.now() > until) throw new Error(`Waiting for ${what} took too long`);
      await pause(pollMs);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
