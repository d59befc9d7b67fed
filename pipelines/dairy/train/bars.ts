/** What the nets must reach, and what of it they miss: the bars of the dairy pipeline. */
import type { difficulties, DifficultyFigures, Figures } from './evaluate.ts';

type Share = Exclude<keyof DifficultyFigures, 'baseline'>;

export type Bar = {
  readonly difficulty: (typeof difficulties)[number];
  readonly figure: Share;
  /** 'least': the figure must reach the bar; 'most': it must not exceed it. */
  readonly kind: 'least' | 'most';
  readonly bar: number;
};

export const bars: readonly Bar[] = [
  { difficulty: 'ordinary', figure: 'cowFound', kind: 'least', bar: 0.98 },
  { difficulty: 'ordinary', figure: 'emptyRefused', kind: 'least', bar: 0.98 },
  { difficulty: 'ordinary', figure: 'coatRight', kind: 'least', bar: 0.93 },
  { difficulty: 'ordinary', figure: 'rightAccepted', kind: 'least', bar: 0.93 },
  { difficulty: 'ordinary', figure: 'unknownRefused', kind: 'least', bar: 0.9 },
  { difficulty: 'ordinary', figure: 'takenForAnother', kind: 'most', bar: 0.01 },
  { difficulty: 'hard', figure: 'cowFound', kind: 'least', bar: 0.95 },
  { difficulty: 'hard', figure: 'rightAccepted', kind: 'least', bar: 0.85 },
  { difficulty: 'hard', figure: 'unknownRefused', kind: 'least', bar: 0.9 },
  { difficulty: 'hard', figure: 'takenForAnother', kind: 'most', bar: 0.01 },
];

export type BarResult = Bar & { readonly measured: number; readonly pass: boolean };

export function judged(figures: Figures): BarResult[] {
  return bars.map((bar) => {
    const measured = figures[bar.difficulty][bar.figure];
    const pass = bar.kind === 'least' ? measured >= bar.bar : measured <= bar.bar;
    return { ...bar, measured, pass };
  });
}

/** One line for each bar that the figures miss. */
export function shortfalls(figures: Figures): string[] {
  return judged(figures)
    .filter(({ pass }) => !pass)
    .map(
      ({ difficulty, figure, kind, bar, measured }) =>
        `${difficulty} ${figure} ${measured}, ${kind === 'least' ? 'at least' : 'at most'} ${bar}`,
    );
}
