/** Whole members under a script of faults, for tests. */
import { expect } from 'vitest';
import { type Act, seedDefaults, type SeedResult, Simulation } from './world.ts';
import type { WorldStep } from './world-addon.ts';

const simulation = new Simulation();

interface Scenario {
  readonly members: number;
  readonly script: readonly Act[];
  readonly shards?: number;
  readonly replicas?: number;
  readonly operations?: number;
  readonly seconds?: number;
}

/** What every checker of the simulation says nothing about; two seeds. */
export async function expectClean(given: Scenario): Promise<readonly SeedResult[]> {
  const results: SeedResult[] = [];
  for (const seed of [1, 2]) {
    const options = { ...seedDefaults, seconds: 15, operations: 600, faults: 0, ...given, seed };
    const result = await simulation.run({ ...options, shards: given.shards ?? 4 });
    expect(result.violations, `seed ${String(seed)}`).toBe('');
    results.push(result);
  }
  return results;
}

export function kill(atMs: number, node: Act['node'], forMs: number, step?: WorldStep): Act {
  return { atMs, do: 'kill', node, forMs, ...(step === undefined ? {} : { step }) };
}

export function everyone(members: number, act: (node: number) => Act): Act[] {
  return Array.from({ length: members }, (_, at) => act(at + 1));
}
