import { execFileSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { frontierWidth, headWidth } from '../../platform/bridge/mod.ts';
import { repositoryRoot, tempFolder } from '../support/mod.ts';
import { memberOptions, NativeMember, startShard } from './native-member.ts';

const open: NativeMember[] = [];
function openOne(change = {}): NativeMember {
  const member = new NativeMember(change);
  open.push(member);
  return member;
}
afterEach(() => {
  for (const member of open.splice(0)) {
    member.close();
  }
});

const addonFile = `${repositoryRoot}/prebuilds/${process.platform}-${process.arch}/freshet.node`;

/** A worker that opens a member, is woken once, and tells its port before `onWake` runs. */
function openInWorker(onWake: string): Worker {
  const program = `
    const { parentPort } = require('node:worker_threads');
    const addon = require(${JSON.stringify(addonFile)});
    const options = { clusterId: new Uint8Array(16), secret: new Uint8Array(32), nodeId: 1,
      listenHost: '127.0.0.1', listenPort: 0, transport: 0, dataFolder: null, door: null,
      spinMicros: 0, heartbeatMs: 50, silenceMs: 1000 };
    const member = addon.openMember(options, () => {
      parentPort.postMessage(addon.listenPort(member));
      ${onWake}
    });
    addon.openShard(member, { shard: 1, persistent: false, memoryMax: 1 << 26 }, 1);
  `;
  return new Worker(program, { eval: true });
}

describe('a member', () => {
  test('opens, says its port, closes, and closes again', () => {
    const member = openOne();
    expect(member.port).toBeGreaterThan(0);
    member.close();
    member.close();
  });

  test('answers CLOSED to every use after close', () => {
    const member = openOne();
    const { addon, handle } = member;
    const closed = -addon.statusNames.indexOf('CLOSED');
    member.close();
    expect(addon.addPeer(handle, 2, '127.0.0.1', 1)).toBe(closed);
    expect(addon.submit(handle, 1, 17, 5, 1, 'a', null, null, null)).toBe(closed);
    expect(addon.waitCurrent(handle, 1, false, 1)).toBe(closed);
    expect(addon.shardState(handle, 1, 1)).toBe(closed);
    expect(addon.dropPieces(handle, 1)).toBe(closed);
    expect(addon.sendMessage(handle, 2, new Uint8Array(1))).toBe(closed);
    expect(addon.listenPort(handle)).toBe(closed);
    expect(addon.drain(handle, new Float64Array(8))).toBe(closed);
    expect(addon.takeResult(handle, 1)).toBeNull();
    expect(addon.takeMessage(handle)).toBeNull();
    expect(addon.isCurrent(handle, 1, false)).toBe(false);
    expect(member.get(1, 'a')).toBe('CLOSED');
  });

  test('is refused where its port is taken, with the status first', () => {
    const first = openOne();
    expect(() => openOne({ listenPort: first.port })).toThrow(/^ADDRESS_IN_USE: /);
  });

  test('is refused where its data folder is in use', async () => {
    const dataFolder = await tempFolder('bridge');
    openOne({ dataFolder });
    expect(() => openOne({ dataFolder })).toThrow(/^DATA_IN_USE: /);
  });

  test('keeps a process alive only while answers are due', () => {
    const options = JSON.stringify({ ...memberOptions(), clusterId: null, secret: null });
    const program = `
      const addon = require(${JSON.stringify(addonFile)});
      const options = { ...${options}, clusterId: new Uint8Array(16), secret: new Uint8Array(32) };
      const rows = new Float64Array(64);
      const member = addon.openMember(options, () => {
        const count = addon.drain(member, rows);
        for (let i = 0; i < count; i++) console.log(rows[8 * i], rows[8 * i + 1], rows[8 * i + 2]);
      });
      addon.openShard(member, { shard: 1, persistent: false, memoryMax: 1 << 26 }, 77);
    `;
    const out = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    expect(out).toBe('6 77 0\n');
  });

  test('closes with the worker that opened it', async () => {
    const worker = openInWorker('');
    const port = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    await worker.terminate();
    expect(openOne({ listenPort: port }).port).toBe(port);
  });

  test('does not swallow what onWake throws', async () => {
    const worker = openInWorker("throw new Error('thrown in onWake')");
    const error = await new Promise((resolve) => {
      worker.once('error', resolve).once('exit', resolve);
    });
    expect(error).toEqual(new Error('thrown in onWake'));
  });

  test.each(['for (;;);', 'process.exit(0);'])(
    'closes when ended within onWake: %s',
    async (end) => {
      const worker = openInWorker(end);
      const port = await new Promise<number>((resolve, reject) => {
        worker.once('message', resolve).once('error', reject);
      });
      await worker.terminate();
      expect(openOne({ listenPort: port }).port).toBe(port);
    },
  );
});

describe('a worker thread', () => {
  const reader = `
    const { parentPort, workerData } = require('node:worker_threads');
    const addon = require(workerData.addonFile);
    const member = addon.attachMember(workerData.key);
    const head = new Float64Array(${String(headWidth)});
    parentPort.on('message', (count) => {
      let last = null;
      for (let i = 0; i < count; i++) last = addon.get(member, 1, 'k', 0, 0, 0, true, head);
      parentPort.postMessage([last === null ? null : last.toString(), head[0]]);
    });
    parentPort.postMessage('ready');
  `;

  test('reads while the member writes, and finds it closed afterwards', async () => {
    const member = openOne();
    await startShard([member], 1);
    await member.makePool(1);
    await member.submit(1, 'k', Buffer.from('0'));
    const key = member.addon.memberKey(member.handle);
    const worker = new Worker(reader, { eval: true, workerData: { addonFile, key } });
    const next = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve).once('error', reject);
      });
    await next();
    const reading = next();
    worker.postMessage(20_000);
    for (let nth = 1; nth <= 200; nth += 1) {
      await member.submit(1, 'k', Buffer.from(String(nth)));
    }
    expect(await reading).toEqual([expect.stringMatching(/^\d+$/), 0]);
    const again = next();
    worker.postMessage(1);
    expect(await again).toEqual(['200', 0]);
    member.close();
    const after = next();
    worker.postMessage(1);
    expect(await after).toEqual([null, member.addon.statusNames.indexOf('CLOSED')]);
    await worker.terminate();
  });

  test('cannot attach to what is not open, nor write', () => {
    const member = openOne();
    const { addon } = member;
    expect(() => addon.attachMember(999_999)).toThrow(/^CLOSED: /);
    const attached = addon.attachMember(addon.memberKey(member.handle));
    const closed = -addon.statusNames.indexOf('CLOSED');
    expect(addon.submit(attached, 1, 17, 5, 1, 'a', null, null, null)).toBe(closed);
    addon.closeMember(attached);
    expect(addon.listenPort(attached)).toBe(closed);
    expect(addon.frontiers(attached, 1, new Float64Array(frontierWidth))).toBe(closed);
    expect(addon.isCurrent(attached, 1, false)).toBe(false);
    expect(member.port).toBeGreaterThan(0);
  });
});
