import { describe, expect, test } from 'vitest';
import { findHostProblem, formatAddress, plainHost } from '../../../platform/base/mod.ts';

describe('a host', () => {
  test.each([
    '127.0.0.1',
    '::1',
    '[2001:db8::1]',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
    'localhost',
    'farm-7.barn.example.org',
    'farm.',
    '1.example.org',
  ])('may be %s', (host) => {
    expect(findHostProblem(host)).toBeNull();
  });

  const cases: readonly [string, string, RegExp][] = [
    ['10.0.0.300', 'is no IPv4 address', /0 to 255/],
    ['10.0.0', 'is no IPv4 address', /four numbers/],
    ['[10.0.0.1]', 'is no IPv4 address', /four numbers/],
    ['2001:db8:::1', 'is no IPv6 address', /2001:db8::1/],
    ['farm:7400', 'has a port', /the host as farm, and 7400 as its port/],
    ['[::1]:7400', 'has a port', /the host as \[::1\], and 7400/],
    ['http://farm:7400/', 'is a URL', /as farm:7400/],
    ['barn_7', 'is no host name', /inner hyphens/],
    ['-barn', 'is no host name', /inner hyphens/],
    ['', 'is no host name', /letters/],
    ['[barn]', 'is no host name', /letters/],
    [`${'a'.repeat(64)}.org`, 'is no host name', /letters/],
  ];
  test.each(cases)('is not %j: it %s', (host, what, mend) => {
    expect(findHostProblem(host)?.what).toBe(what);
    expect(findHostProblem(host)?.mend).toMatch(mend);
  });
});

test('an address has brackets around IPv6, which the host has not', () => {
  expect(plainHost('[::1]')).toBe('::1');
  expect(formatAddress('::1', 7400)).toBe('[::1]:7400');
  expect(formatAddress('[::1]', 7400)).toBe('[::1]:7400');
  expect(formatAddress('barn.example.org', 7)).toBe('barn.example.org:7');
});
