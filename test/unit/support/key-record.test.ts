import { describe, expect, test } from 'vitest';
import { KeyRecord, type Seen } from '../../support/key-record.ts';

/** A record of so many puts, all answered, number n as version 10 n. */
function recordOf(count: number, options: { durable?: boolean; persistent?: boolean } = {}) {
  const record = new KeyRecord('/milk/cow', options.persistent ?? true);
  for (let nth = 0; nth < count; nth++) {
    const number = record.next();
    const isDurable = options.durable ?? true;
    record.onAcknowledged({ number, version: 10 * number, epoch: 1, isDurable });
  }
  return record;
}

const seen = (...numbers: readonly number[]): Seen[] =>
  numbers.map((number, nth) => ({ number, version: 10 * number + nth / 100, epoch: 1 }));
const whole = (...numbers: readonly number[]): Seen[] =>
  numbers.map((number) => ({ number, version: 10 * number, epoch: 1 }));

describe('a history', () => {
  test('with everything once and in order has no fault', () => {
    expect(recordOf(3).faultsOf(whole(1, 2, 3))).toEqual([]);
    const record = recordOf(3);
    record.next();
    // What was put and never answered may be there or not.
    expect(record.faultsOf(whole(1, 2, 3))).toEqual([]);
    expect(record.faultsOf(whole(1, 2, 3, 4))).toEqual([]);
  });

  test.each([
    ['one lost', whole(1, 3), /2 was acknowledged and is lost/],
    ['the last lost', whole(1, 2), /3 was acknowledged and is lost/],
    ['one twice', seen(1, 2, 2, 3), /2 is there twice/],
    ['out of order', whole(1, 3, 2), /2 comes after 3/],
    ['one that nobody put', whole(1, 2, 3, 4), /4 was never put/],
    [
      'another version',
      [...whole(1, 2), { number: 3, version: 31, epoch: 1 }],
      /3 was answered as 1-30 and is 1-31/,
    ],
    [
      'another epoch',
      [...whole(1, 2), { number: 3, version: 30, epoch: 2 }],
      /3 was answered as 1-30 and is 2-30/,
    ],
  ])('%s is told', (_, history, fault) => {
    expect(recordOf(3).faultsOf(history).join('; ')).toMatch(fault);
  });

  test('after a majority was lost need hold only what is durable, and what was read', () => {
    const fleeting = recordOf(3, { durable: false });
    fleeting.onLost();
    expect(fleeting.faultsOf([])).toEqual([]);
    const durable = recordOf(3);
    durable.onLost();
    expect(durable.faultsOf(whole(1, 2))).toEqual(['/milk/cow: 3 was acknowledged and is lost']);
    const shown = recordOf(3, { durable: false });
    expect(shown.onRead(2, shown.floor() - 1)).toBeNull();
    shown.onLost();
    expect(shown.faultsOf(whole(1))).toEqual(['/milk/cow: 2 was read and is lost']);
    // What comes after the loss counts again.
    const number = shown.next();
    shown.onAcknowledged({ number, version: 40, epoch: 2, isDurable: false });
    expect(shown.faultsOf(whole(1, 2))).toEqual(['/milk/cow: 4 was acknowledged and is lost']);
  });
});

describe('a read', () => {
  test('may not go back behind what was acknowledged or read', () => {
    const record = recordOf(2);
    const open = record.next();
    const floor = record.floor();
    expect(floor).toBe(2);
    expect(record.onRead(1, floor)).toMatch(/showed 1 after 2/);
    expect(record.onRead(open, floor)).toBeNull();
    expect(record.floor()).toBe(3);
    expect(record.onRead(2, record.floor())).toMatch(/showed 2 after 3/);
    expect(record.onRead(4, record.floor())).toMatch(/showed 4, which was never put/);
  });

  test('of a volatile pool begins anew once a majority was lost', () => {
    const record = recordOf(2, { durable: false, persistent: false });
    record.onLost();
    expect(record.floor()).toBe(0);
    expect(record.onRead(0, record.floor())).toBeNull();
  });
});
