import { expect, test } from 'vitest';
import { herdOf, SceneCamera } from '../../../../pipelines/dairy/camera/mod.ts';
import type { CameraFrame, SceneCameraOptions } from '../../../../pipelines/dairy/camera/mod.ts';

const herd = herdOf(6).map(({ cowSeed }) => cowSeed);

/** A clock that only sleeping moves. */
function camera(options: Partial<SceneCameraOptions> = {}) {
  const slept: number[] = [];
  let micros = 1_000_000;
  const made = new SceneCamera({
    seed: 3,
    herd,
    rate: null,
    frames: 8,
    now: () => micros,
    sleep: (ms) => {
      slept.push(ms);
      micros += ms * 1000;
      return Promise.resolve();
    },
    ...options,
  });
  return {
    made,
    slept,
    pass: (ms: number) => {
      micros += ms * 1000;
    },
  };
}

async function all(frames: AsyncIterable<CameraFrame>): Promise<CameraFrame[]> {
  const taken: CameraFrame[] = [];
  for await (const frame of frames) taken.push(frame);
  return taken;
}

test('frames are numbered without a gap and repeat for the same seed', async () => {
  const first = await all(camera({ firstNumber: 40 }).made.frames());
  const again = await all(camera({ firstNumber: 40 }).made.frames());
  expect(first.map(({ number }) => number)).toEqual([40, 41, 42, 43, 44, 45, 46, 47]);
  for (const [i, frame] of first.entries()) expect(again[i]?.jpeg.equals(frame.jpeg)).toBe(true);
  const other = await all(camera({ firstNumber: 40, seed: 4 }).made.frames());
  expect(other.some(({ jpeg }, i) => first[i]?.jpeg.equals(jpeg) === false)).toBe(true);
});

test('a frame is due an interval after the one before, and carries its moment', async () => {
  const { made, slept } = camera({ rate: 4, frames: 4 });
  const frames = await all(made.frames());
  expect(slept).toEqual([250, 250, 250]);
  expect(frames.map(({ capturedAt }) => capturedAt)).toEqual([
    1_000_000, 1_250_000, 1_500_000, 1_750_000,
  ]);
});

test('a late camera catches up without sleeping and skips no frame', async () => {
  const { made, slept, pass } = camera({ rate: 10, frames: 5 });
  const numbers: number[] = [];
  for await (const { number } of made.frames()) {
    numbers.push(number);
    if (number === 0) pass(250);
  }
  expect(numbers).toEqual([0, 1, 2, 3, 4]);
  expect(slept).toEqual([50, 100]);
});

test('shares decide how many frames are empty, strange or hard; the herd is seen whole', () => {
  const { made } = camera({ emptyShare: 0.5, strangerShare: 0.2, hardShare: 0.1 });
  const plans = Array.from({ length: 4000 }, (_, i) => made.planOf(i));
  const share = (count: number): number => count / plans.length;
  const empty = plans.filter(({ request }) => request.cowSeed === null).length;
  expect(share(empty)).toBeCloseTo(0.5, 1);
  expect(share(plans.filter(({ stranger }) => stranger).length)).toBeCloseTo(0.2, 1);
  expect(share(plans.filter(({ request }) => request.difficulty === 'hard').length)).toBeCloseTo(
    0.1,
    1,
  );
  const seen = new Set(plans.map(({ cow }) => cow).filter((cow) => cow !== null));
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  for (const { cow, request } of plans) if (cow !== null) expect(request.cowSeed).toBe(herd[cow]);
});

test('the truth tells the cow of the plan', async () => {
  for (const { cow, stranger, truth } of await all(camera().made.frames())) {
    expect(truth.cow).toBe(cow !== null || stranger);
  }
});

test('a camera without a herd shows strangers and empty frames', () => {
  const { made } = camera({ herd: [] });
  for (let i = 0; i < 200; i++) expect(made.planOf(i).cow).toBeNull();
});

test('an abort ends the frames', async () => {
  const abort = new AbortController();
  const numbers: number[] = [];
  for await (const { number } of camera({ frames: null }).made.frames(abort.signal)) {
    numbers.push(number);
    if (number === 2) abort.abort();
  }
  expect(numbers).toEqual([0, 1, 2]);
});

test('a rate of nothing is refused', () => {
  expect(() => camera({ rate: 0 })).toThrow(RangeError);
  expect(() => camera({ frames: -1 })).toThrow(RangeError);
});
