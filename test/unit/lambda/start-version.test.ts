import { describe, expect, test } from 'vitest';
import { startVersion } from '../../../platform/lambda/start-version.ts';

/** Up to version 20 in epoch 3, then 4. */
const epochOf = (version: number): number | null =>
  version > 0 && version <= 50 ? (version <= 20 ? 3 : 4) : null;
const newest = { epoch: 4, version: 50 };
const nowhere = { mine: null, deployedAt: null, newest, epochOf };

describe('a stage begins', () => {
  test('where it was, else where the pipeline was deployed, else with what comes', () => {
    const deployedAt = { epoch: 4, version: 30 };
    const mine = { epoch: 4, version: 40 };
    expect(startVersion({ ...nowhere, raw: false, mine, deployedAt })).toBe(40);
    expect(startVersion({ ...nowhere, raw: false, deployedAt })).toBe(30);
    expect(startVersion({ ...nowhere, raw: false })).toBe(50);
  });

  test('with the first version where its place is in a history that is gone', () => {
    for (const raw of [true, false]) {
      expect(startVersion({ ...nowhere, raw, mine: { epoch: 2, version: 400 } })).toBe(0);
      expect(startVersion({ ...nowhere, raw, mine: { epoch: 2, version: 10 } })).toBe(0);
    }
  });

  test('of raw delivery not where others were, but with all that came since it joined', () => {
    const before = { epoch: 3, version: 7 };
    expect(startVersion({ ...nowhere, raw: true, deployedAt: before })).toBe(0);
    const since = { epoch: 4, version: 9000 };
    expect(startVersion({ ...nowhere, raw: true, deployedAt: since })).toBe(50);
    expect(startVersion({ ...nowhere, raw: true, mine: { epoch: 4, version: 44 } })).toBe(44);
  });
});
