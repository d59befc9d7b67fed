/** Real members on machines whose clocks are wrong. */
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createLogger } from '../../platform/base/mod.ts';
import { clockColumns, loadAddon, type NativeAddon } from '../../platform/bridge/mod.ts';
import { freePorts } from '../../platform/local-cluster.ts';
import { type Member, startMember } from '../../platform/node.ts';
import { bytes, text } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

const hourUs = 3_600_000_000;
const startMs = 60_000;

/** The native side of a member whose machine's clock is so far ahead of the real one. */
class ShiftedMachine {
  aheadUs: number;
  readonly addon: NativeAddon;

  constructor(aheadUs: number) {
    this.aheadUs = aheadUs;
    const real = loadAddon();
    this.addon = {
      ...real,
      openMember: (options, onWake) => {
        const handle = real.openMember(options, onWake);
        real.shiftClock(handle, this.aheadUs, true);
        return handle;
      },
      clocks: (handle, out) => {
        const status = real.clocks(handle, out);
        out[clockColumns.machine] = (out[clockColumns.machine] ?? 0) + this.aheadUs;
        return status;
      },
    };
  }
}

const running: Member[] = [];
const logged = new Map<number, string>();

afterEach(async () => {
  await Promise.all(running.splice(0).map((member) => member.close()));
  logged.clear();
});

/** Members 1, 2 … on such machines. */
async function start(machines: readonly ShiftedMachine[]): Promise<readonly Member[]> {
  const folder = await tempFolder('clocks');
  const ports = await freePorts(machines.length);
  const members = ports.map((port, nth) => ({ id: nth + 1, host: '127.0.0.1', port }));
  for (const [nth, { addon }] of machines.entries()) {
    const node = nth + 1;
    const dataFolder = path.join(folder, String(node));
    const memory = { ringBudgetBytes: 24 * 1024 * 1024 };
    const config = { cluster: { name: 'clocks' }, node, members, dataFolder, memory };
    const write = (line: string): void => {
      logged.set(node, `${logged.get(node) ?? ''}${line}`);
    };
    const log = createLogger({ level: 'info', destination: { write } });
    running.push(await startMember(config, { log, addon }));
  }
  return running;
}

async function put(member: Member, value: string): Promise<number> {
  await member.store.objects.createPool({ name: '/pool', kind: 'persistent' });
  const { time } = await member.store.objects.put({ key: '/pool/key', value: bytes(value) });
  return time;
}

test('a member whose clock is off is refused with the reason, and let in once it is set', async () => {
  const wrong = new ShiftedMachine(hourUs);
  const [one, two, three] = await start([new ShiftedMachine(0), new ShiftedMachine(0), wrong]);
  if (one === undefined || two === undefined || three === undefined) throw new Error('none');
  await until(() => one.group.view.number > 0 && two.group.view.number > 0);
  const reason =
    /^The shards do not run yet: the clock of this member is 3600\.0 s ahead of that of/;
  await expect(three.whenRunning(1)).rejects.toMatchObject({
    code: 'TIMEOUT',
    message: expect.stringMatching(reason) as string,
  });
  expect(three.group.view).toMatchObject({ number: 0, running: false });
  expect(logged.get(3)).toContain('the clock of this member is 3600.0 s ahead of that of member');
  expect(logged.get(1)).toContain('the clock of member 3 is 3600.0 s ahead');
  expect(one.group.clocks.offsets).toContainEqual({
    node: 3,
    aheadUs: expect.closeTo(hourUs, -6) as number,
  });

  wrong.aheadUs = 0;
  await three.whenRunning(startMs);
  const time = await put(three, 'one');
  expect(Math.abs(time - Date.now() * 1000)).toBeLessThan(hourUs / 2);
  expect(text((await one.store.objects.get({ key: '/pool/key', at: time }))?.value)).toBe('one');
});

test('of two members whose clocks differ neither is right by itself', async () => {
  const wrong = new ShiftedMachine(-hourUs);
  const members = await start([new ShiftedMachine(0), wrong]);
  for (const member of members) {
    await until(() => member.group.explain().startsWith('the clock of this member is 3600.0 s '));
  }
  wrong.aheadUs = 0;
  await Promise.all(members.map((member) => member.whenRunning(startMs)));
});

test('a clock that runs ahead in a view is held back, and says so', async () => {
  const members = await start([0, 0, 0].map((us) => new ShiftedMachine(us)));
  await Promise.all(members.map((member) => member.whenRunning(startMs)));
  const [one, two] = members as [Member, Member];
  one.core.addon.shiftClock(one.core.handle, hourUs, false);
  await until(() => one.group.clocks.heldBackUs > hourUs - 1_000_000);
  const seen = (): number =>
    two.group.clocks.offsets.find(({ node }) => node === 1)?.aheadUs ?? Infinity;
  await until(() => Math.abs(seen()) < 1_000_000);
  expect(logged.get(1)).toContain('the clock of this member runs ahead: held back');
  expect(one.group.view.running).toBe(true);
});

test('a time that a put was answered is no future to a read', async () => {
  const [alone] = await start([new ShiftedMachine(0)]);
  if (alone === undefined) throw new Error('none');
  await alone.whenRunning(startMs);
  const { addon, handle } = alone.core;
  addon.shiftClock(handle, hourUs, false);
  const time = await put(alone, 'ahead');
  addon.shiftClock(handle, -hourUs, false);
  expect(time).toBeGreaterThan(Date.now() * 1000 + hourUs / 2);
  const { objects } = alone.store;
  expect(text((await objects.get({ key: '/pool/key', at: time }))?.value)).toBe('ahead');
  await expect(objects.get({ key: '/pool/key', at: time + hourUs })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
});
