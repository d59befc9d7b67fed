/** How numbers and times are written on the page. */

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function rate(perSecond: number): string {
  return perSecond >= 100 ? count(perSecond) : perSecond.toFixed(1);
}

export function bytes(size: number): string {
  if (size < 1024) return `${String(size)} B`;
  if (size < 1024 * 1024) return `${(size / 1024).toFixed(1)} KiB`;
  return `${(size / 1024 / 1024).toFixed(1)} MiB`;
}

export function millis(value: number | null): string {
  if (value === null) return '–';
  if (value < 1) return `${value.toFixed(2)} ms`;
  return value < 100 ? `${value.toFixed(1)} ms` : `${count(value)} ms`;
}

/** A time in µs as the clock on the wall shows it. */
export function clockTime(micros: number): string {
  const date = new Date(micros / 1000);
  const two = (part: number) => String(part).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export function lastSegment(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
