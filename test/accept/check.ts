/** What acceptance is made of: checks, each deciding one or a few lines of an issue. */
import type { VitestFiles } from './vitest-files.ts';

/** One line of the table. */
export interface Line {
  readonly name: string;
  /** What must hold, in words or as a bound. */
  readonly target: string;
  /** What was seen. */
  readonly measured: string;
  /** null: it could not be decided here, and `measured` says why; counts neither way. */
  readonly pass: boolean | null;
}

export interface CheckContext {
  /** Absolute path of the repository. */
  readonly root: string;
  /** An empty folder of this check's own, removed afterwards. */
  readonly folder: string;
  readonly quick: boolean;
  /** Draws the cows of the dairy figures. */
  readonly seed: number;
  /** Runs of each figure; the median counts. */
  readonly runs: number;
  /** The folder of the dairy pipeline: the repository's own, or a sabotaged copy. */
  readonly dairy: string;
  readonly coreBench: () => Promise<string>;
  readonly tests: VitestFiles;
  readonly say: (text: string) => void;
}

export interface Check {
  /** As `--only` takes it. */
  readonly name: string;
  /** The part of the issue: `1 commands` to `7 doors`, `figures`, `bad input`. */
  readonly point: string;
  readonly run: (context: CheckContext) => Promise<readonly Line[]>;
}

export interface Job {
  readonly name: string;
  readonly checks: readonly Check[];
  /** Ways of breaking the product that must turn lines red; by the name `--sabotage` takes. */
  readonly sabotages: ReadonlyMap<string, (context: CheckContext) => Promise<readonly Line[]>>;
}

export function atLeast(name: string, bound: number, measured: number, unit = ''): Line {
  const pass = Number.isFinite(measured) && measured >= bound;
  return {
    name,
    target: `>= ${String(bound)}${unit}`,
    measured: `${shown(measured)}${unit}`,
    pass,
  };
}

export function atMost(name: string, bound: number, measured: number, unit = ''): Line {
  const pass = Number.isFinite(measured) && measured <= bound;
  return {
    name,
    target: `<= ${String(bound)}${unit}`,
    measured: `${shown(measured)}${unit}`,
    pass,
  };
}

export function holds(name: string, target: string, pass: boolean, measured: string): Line {
  return { name, target, measured, pass };
}

export function undecided(name: string, target: string, why: string): Line {
  return { name, target, measured: why, pass: null };
}

function shown(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Math.round(value * 1e4) / 1e4);
}
