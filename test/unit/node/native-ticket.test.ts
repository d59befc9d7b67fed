import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { ManualClock, SeededRandom } from '../../../platform/base/mod.ts';
import { clusterIdentity } from '../../../platform/cluster-identity.ts';
import { issueTicket } from '../../../platform/native-ticket.ts';

test('a ticket is as the native threads take it, for an hour, and its key follows from it', () => {
  const identity = clusterIdentity({ name: 'barn', secret: 'hay' });
  const clock = new ManualClock(1_800_000_000_000_000);
  const [random, same] = [new SeededRandom(5), new SeededRandom(5)];
  const { ticket, key, expires, clusterId } = issueTicket({ identity, clock, random });
  expect(expires).toBe(1_800_003_600_000_000);
  expect(clusterId).toBe(identity.id);
  const told = Buffer.alloc(32);
  told.writeUInt16LE(1, 0);
  told.writeUInt16LE(3, 2);
  told.writeDoubleLE(expires, 8);
  for (const at of [16, 20, 24, 28]) told.writeUInt32LE(same.u32(), at);
  const hmac = (...parts: (string | Uint8Array)[]): Buffer => {
    const made = createHmac('sha256', identity.secret);
    for (const part of parts) made.update(part);
    return made.digest();
  };
  expect(Buffer.from(ticket)).toEqual(Buffer.concat([told, hmac('freshet ticket', told)]));
  expect(Buffer.from(key)).toEqual(hmac('freshet ticket key', ticket));
  expect(issueTicket({ identity, clock, random }).ticket).not.toEqual(ticket);
});
