import { describe, expect, test } from 'vitest';
import { listenAddress, plainMembers, systemLookUp } from '../../../platform/member-addresses.ts';

const member = (id: number, host: string, port = 7000) => ({ id, host, port });

describe('addresses of members', () => {
  test('may be IPv4, IPv6 and names; brackets are for URLs', () => {
    const members = [member(1, '127.0.0.1'), member(2, '[::1]'), member(3, 'barn.example.org')];
    expect(plainMembers(members).map(({ host }) => host)).toEqual([
      '127.0.0.1',
      '::1',
      'barn.example.org',
    ]);
  });

  test('are refused with their place and the nearest fix', () => {
    expect(() => plainMembers([member(1, 'a'), member(2, 'b:7400')])).toThrow(
      'members[1].host "b:7400" has a port',
    );
    const same = [member(1, '[::1]'), member(2, 'b'), member(3, '::1')];
    expect(() => plainMembers(same)).toThrow('members 1 and 3 have the same address [::1]:7000');
    expect(plainMembers([member(1, '::1'), member(3, '::1', 7001)])).toHaveLength(2);
  });

  test('to listen at are looked up', async () => {
    expect(await listenAddress('fe80::1%eth0', systemLookUp)).toBe('fe80::1%eth0');
    expect(['127.0.0.1', '::1']).toContain(await listenAddress('localhost', systemLookUp));
    // Names below `invalid` are nobody's (RFC 2606).
    await expect(listenAddress('barn.invalid', systemLookUp)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      details: { host: 'barn.invalid' },
    });
  });
});
