import { expect, test } from 'vitest';
import { dayOf, isoDay, parseEventTime } from '../../../../platform/client/import/event-time.ts';

test('the same day in every way of writing it', () => {
  const day = Date.UTC(2019, 7, 20) * 1000;
  expect(parseEventTime('2019-08-20', 'iso')).toBe(day);
  expect(parseEventTime('20-8-2019', 'd-m-y')).toBe(day);
  expect(parseEventTime('20.08.2019', 'd-m-y')).toBe(day);
  expect(parseEventTime('8/20/2019', 'm-d-y')).toBe(day);
  expect(parseEventTime(String(day / 1e6), 'unix-s')).toBe(day);
  expect(parseEventTime(String(day / 1e3), 'unix-ms')).toBe(day);
  expect(isoDay(dayOf(day))).toBe('2019-08-20');
});

test('times of day keep their microseconds and need an offset', () => {
  const noon = Date.UTC(2019, 7, 20, 12) * 1000;
  expect(parseEventTime('2019-08-20T12:00Z', 'iso')).toBe(noon);
  expect(parseEventTime('2019-08-20T14:00:00.000123+02:00', 'iso')).toBe(noon + 123);
  expect(parseEventTime('2019-08-20T12:00:00', 'iso')).toBeNull();
});

test('days that do not exist are none', () => {
  for (const text of ['2019-02-29', '2019-13-01', '19-08-20', '2019-8-20', '', 'NA', '20190820']) {
    expect(parseEventTime(text, 'iso')).toBeNull();
  }
  expect(parseEventTime('30-2-2020', 'd-m-y')).toBeNull();
  expect(parseEventTime('8-20-2019', 'd-m-y')).toBeNull();
  expect(parseEventTime('1e99', 'unix-s')).toBeNull();
});
