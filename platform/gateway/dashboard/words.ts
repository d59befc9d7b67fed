import type { Shown } from './sightings.svelte.ts';

/** What a frame's cow is called; empty while nobody has asked. */
export function nameOf({ cow, coat }: Pick<Shown, 'cow' | 'coat'>): string {
  if (cow === null) return coat === '' ? '' : `${coat} cow`;
  return cow === '' ? 'unknown cow' : cow.replaceAll('_', ' ');
}

export function percent(part: number | null | undefined): string {
  return part === null || part === undefined ? '–' : `${(part * 100).toFixed(1)} %`;
}

/** `0.41 within 24 h`. */
export function riskText(shown: Pick<Shown, 'risk' | 'withinDays'> | undefined): string {
  if (shown === undefined || shown.risk === null) return '–';
  const { risk, withinDays } = shown;
  const value = risk > 0 && risk < 0.01 ? 'under 0.01' : risk.toFixed(2);
  return `${value} within ${withinDays === 1 ? '24 h' : `${String(withinDays)} days`}`;
}
