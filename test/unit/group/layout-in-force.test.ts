import { describe, expect, test } from 'vitest';
import type { SubgroupOptions } from '../../../platform/group/layout-options.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { fingerprintOf, LayoutInForce } from '../../../platform/group/layout-in-force.ts';
import type { ViewLayout } from '../../../platform/group/view-layout.ts';

const milk: SubgroupOptions = { name: 'milk', kind: 'persistent', shards: 2, replicas: 2 };
const barn: SubgroupOptions = { name: 'barn', kind: 'volatile', shards: 1, replicas: 2 };
const ring = 131_072;
const configured = new Layout([1, 2, 3], [milk]);

function given(version: number, ...subgroups: [number, SubgroupOptions][]): ViewLayout {
  const named = subgroups.map(([first, options]) => ({ first, options }));
  return { version, ringSize: 65_536, exclusive: false, subgroups: named };
}

describe('the layout in force', () => {
  test('is the configured one, until a view has another', () => {
    const layouts = new LayoutInForce(configured, ring);
    expect([layouts.version, layouts.ringSize, layouts.given]).toEqual([1, ring, null]);
    expect(layouts.now).toBe(configured);
    expect(layouts.follow(given(2, [2, milk], [4, barn]))).toBe(true);
    expect([layouts.version, layouts.ringSize]).toEqual([2, 65_536]);
    expect(layouts.now.subgroup('barn').shards.map(({ shard }) => shard)).toEqual([4]);
    const { now } = layouts;
    expect(layouts.follow(given(2, [2, milk], [4, barn]))).toBe(false);
    expect(layouts.now).toBe(now);
    // What was prepared and lost.
    expect(layouts.follow(null)).toBe(true);
    expect(layouts.now).toBe(configured);
  });

  test('tells of shards of a view that is on its way', () => {
    const layouts = new LayoutInForce(configured, ring);
    expect(() => layouts.shard(4)).toThrow('There is no shard 4');
    layouts.expect(given(2, [2, { ...milk, minReplicas: 2 }], [4, barn]));
    expect(layouts.shard(4)).toMatchObject({ subgroup: 'barn', persistent: false });
    expect([layouts.shard(2).min, layouts.now.shard(2).min]).toEqual([2, 1]);
    layouts.expect(null);
    expect(() => layouts.shard(4)).toThrow('There is no shard 4');
  });

  test('says where the configuration is another, not where it only names things in another order', () => {
    const layouts = new LayoutInForce(new Layout([1, 2, 3], [barn, milk]), ring);
    expect(layouts.differenceFromConfigured()).toBeNull();
    layouts.follow(given(2, [2, milk], [4, barn]));
    expect(layouts.differenceFromConfigured()).toBeNull();
    layouts.follow(given(3, [2, { ...milk, replicas: 3 }], [4, barn]));
    expect(layouts.differenceFromConfigured()).toContain('version 3, counts');
  });
});

describe('a member with another configuration', () => {
  const newer = fingerprintOf(new Layout([1, 2, 3], [milk, barn]), ring);

  test('goes along once the cluster has a layout of its own', () => {
    const layouts = new LayoutInForce(configured, ring);
    expect(layouts.isAlike({ fingerprint: newer })).toBe(false);
    expect(layouts.difference(3, { fingerprint: newer })).toContain('other members or subgroups');
    expect(layouts.isAlike({ fingerprint: newer, layout: 2 })).toBe(true);
    layouts.follow(given(2, [2, milk], [4, barn]));
    expect(layouts.isAlike({ fingerprint: newer })).toBe(true);
    // Rings have the size that the layout says.
    expect(layouts.isAlike({ fingerprint: fingerprintOf(configured, 2 * ring) })).toBe(true);
  });

  test('does not with other members', () => {
    const layouts = new LayoutInForce(configured, ring);
    layouts.follow(given(2, [2, milk], [4, barn]));
    const more = fingerprintOf(new Layout([1, 2, 3, 4], [milk]), ring);
    expect(layouts.isAlike({ fingerprint: more, layout: 5 })).toBe(false);
  });
});
