/**
 * Dates and times as tables write them, to microseconds since 1970 in UTC.
 */

export const timeFormats = ['iso', 'd-m-y', 'm-d-y', 'unix-s', 'unix-ms', 'unix-us'] as const;
/**
 * 'iso' is YYYY-MM-DD, alone (midnight UTC) or with a time and an offset; 'd-m-y' and 'm-d-y' take
 * '-', '/' or '.' between their numbers.
 */
export type TimeFormat = (typeof timeFormats)[number];

export const microsPerDay = 86_400_000_000;

/** Null for what is no such date or time; a day that the month does not have is none. */
export function parseEventTime(text: string, format: TimeFormat): number | null {
  switch (format) {
    case 'iso':
      return parseIso(text);
    case 'd-m-y':
    case 'm-d-y': {
      const parts = /^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})$/.exec(text);
      if (parts === null) return null;
      const [first, second, year] = parts.slice(1).map(Number) as [number, number, number];
      return format === 'd-m-y' ? dayMicros(year, second, first) : dayMicros(year, first, second);
    }
    case 'unix-s':
      return scaled(text, 1_000_000);
    case 'unix-ms':
      return scaled(text, 1000);
    case 'unix-us':
      return scaled(text, 1);
  }
}

function parseIso(text: string): number | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](.+))?$/.exec(text);
  if (parts === null) return null;
  const day = dayMicros(Number(parts[1]), Number(parts[2]), Number(parts[3]));
  const time = parts[4];
  if (day === null || time === undefined) return day;
  // Without an offset it would mean another moment on every machine.
  if (!/^\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$/.test(time)) return null;
  const millis = Date.parse(`${text.slice(0, 10)}T${time}`);
  if (Number.isNaN(millis)) return null;
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? '';
  return millis * 1000 + Number(fraction.padEnd(6, '0').slice(3));
}

function dayMicros(year: number, month: number, day: number): number | null {
  const millis = Date.UTC(year, month - 1, day);
  const date = new Date(millis);
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && year >= 1000;
  return isReal ? millis * 1000 : null;
}

function scaled(text: string, factor: number): number | null {
  if (!/^-?\d+(\.\d+)?$/.test(text)) return null;
  const micros = Math.round(Number(text) * factor);
  return Number.isSafeInteger(micros) ? micros : null;
}

/** Days since 1970-01-01 in UTC, for reckoning in whole days. */
export function dayOf(micros: number): number {
  return Math.floor(micros / microsPerDay);
}

/** YYYY-MM-DD of a day number. */
export function isoDay(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10);
}
