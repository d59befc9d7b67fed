/** Streams a camera's frames into `/dairy/front_end` and numbers them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../../platform/client/mod.ts';
import { image, isFreshetError } from '../../../platform/client/mod.ts';
import { SceneCamera } from '../camera/mod.ts';
import type { DemoHerd } from './herd.ts';

export interface CameraRunOptions {
  /** Names the run in the meta of all its frames: `<run>/<number>`. */
  readonly run: string;
  readonly cameras: number;
  readonly frames: number | null;
  /** Frames a second of all cameras together; null: as fast as they are taken. */
  readonly rate: number | null;
  readonly nowUs: () => number;
  readonly signal: AbortSignal;
  readonly onFrame: (sent: number) => void;
}

/** Frames on their way to a member; further ones wait. */
const inFlightMax = 4;
const seed = 1;

/** Sends every frame until a member has taken it in; resolves to how many were numbered. */
export async function runCamera(
  db: Database,
  herd: DemoHerd,
  options: CameraRunOptions,
): Promise<number> {
  const { run, cameras, frames, rate, nowUs, signal } = options;
  const camera = new SceneCamera({
    seed,
    herd: herd.cowSeeds,
    rate,
    frames,
    now: nowUs,
    sleep: async (ms, aborted) => {
      await sleep(ms, undefined, aborted === null ? {} : { signal: aborted }).catch(
        () => undefined,
      );
    },
  });
  const frontEnd = db.pool('/dairy/front_end', image());
  const inFlight = new Set<Promise<void>>();
  let numbered = 0;
  for await (const { number, capturedAt, jpeg } of camera.frames(signal)) {
    numbered++;
    const name = `cam${String((number % cameras) + 1)}`;
    const options_ = { meta: { frame: `${run}/${String(number)}` }, eventTime: capturedAt };
    const sending = untilTaken(signal, async () => {
      await frontEnd.triggerPut(name, jpeg, options_);
    }).then(() => {
      inFlight.delete(sending);
      options.onFrame(numbered);
    });
    inFlight.add(sending);
    if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  return numbered;
}

/** Again and again while the cluster says that it is worth it. */
async function untilTaken(signal: AbortSignal, send: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await send();
      return;
    } catch (error) {
      if (!isFreshetError(error) || !error.retryable || signal.aborted) throw error;
      await sleep(50);
    }
  }
}
