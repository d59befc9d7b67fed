import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../../platform/base/mod.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { defaultSubgroups } from '../../../platform/group/layout-options.ts';
import { compilePoolOptions, rulesChange, samePool } from '../../../platform/store/pool.ts';

const layout = new Layout([1, 2, 3], defaultSubgroups);

function refusal(options: object): FreshetError {
  try {
    compilePoolOptions({ name: '/barn', kind: 'volatile', ...options }, layout);
  } catch (caught) {
    if (caught instanceof FreshetError) {
      return caught;
    }
  }
  throw new Error('It was not refused');
}

describe('pool options', () => {
  test('are filled in', () => {
    expect(compilePoolOptions({ name: '/barn', kind: 'persistent' }, layout)).toEqual({
      name: '/barn',
      kind: 'persistent',
      history: 128,
      maxValueBytes: 64 * 1024 * 1024,
      timeAxis: 'commit',
      schema: 'json',
      subgroup: 'persistent',
      retention: null,
      locations: {},
    });
  });

  test.each([
    [{ kind: 'durable' }, 'INVALID_POOL', /kind must be one of volatile, persistent, trigger/],
    [{ histroy: 3 }, 'INVALID_POOL', /did you mean history/],
    [{ history: -1 }, 'INVALID_POOL', /history/],
    [{ maxValueBytes: 2 ** 40 }, 'INVALID_POOL', /maxValueBytes/],
    [{ name: 'barn' }, 'INVALID_KEY', /does not start/],
    [{ name: '/barn/../x' }, 'INVALID_KEY', /segment/],
    [{ subgroup: 'volatil' }, 'INVALID_POOL', /did you mean volatile/],
    [{ subgroup: 'persistent' }, 'INVALID_POOL', /cannot lie in the persistent subgroup/],
    [{ subgroup: 'catalog', kind: 'persistent' }, 'INVALID_POOL', /in the subgroup catalog/],
    [{ locations: { '/other/a': 0 } }, 'INVALID_POOL', /locations/],
    [{ locations: { '/barn/a': 4 } }, 'INVALID_POOL', /place 4/],
  ])('%j are refused', (options, code, message) => {
    const error = refusal(options);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('are compared by what they say', () => {
    const one = compilePoolOptions({ name: '/a', kind: 'volatile', history: 128 }, layout);
    const same = compilePoolOptions({ kind: 'volatile', name: '/a' }, layout);
    const other = compilePoolOptions({ kind: 'volatile', name: '/a', history: 1 }, layout);
    expect(samePool(one, same)).toBe(true);
    expect(samePool(one, other)).toBe(false);
  });
});

test('native rules have the layout of PoolRules', () => {
  const options = { name: '/a', kind: 'volatile', history: 3, maxValueBytes: 513 } as const;
  const pool = compilePoolOptions({ ...options, timeAxis: 'event' }, layout);
  const { key, value } = rulesChange(258, pool, true);
  expect(key).toBe('pool/258');
  expect(Buffer.from(value ?? []).toString('hex')).toBe(
    ['02010000', '03000000', '0102000000000000', '01', '00', '01', '0000000000'].join(''),
  );
});
