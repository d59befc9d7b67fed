import { expect, test } from 'vitest';
import type { CallRecord, Outcome } from '../../../platform/replicated/call-record.ts';
import { CallerTable } from '../../../platform/replicated/caller-table.ts';

const window = 10;

function call(request: number, options: Partial<CallRecord> & { readonly run?: string } = {}) {
  const { run = 'a', ...rest } = options;
  const id = { node: 1, run, request };
  const args = new Uint8Array();
  return { id, lowestUnanswered: 1, asOf: 0, method: 'add', args, ...rest };
}

function outcome(text: string): Outcome {
  return { error: null, value: new TextEncoder().encode(text) };
}

test('a call is new once; sent again it has the outcome that it had', () => {
  const table = new CallerTable(window);
  expect(table.judge(call(1), 0)).toEqual({ kind: 'new' });
  table.note(call(1), outcome('one'), 1);
  expect(table.judge(call(1), 1)).toEqual({ kind: 'applied', outcome: outcome('one') });
  // Another run of the same member counts anew.
  expect(table.judge(call(1, { run: 'b' }), 1)).toEqual({ kind: 'new' });
});

test('answered calls are forgotten, and refused should they come again', () => {
  const table = new CallerTable(window);
  table.note(call(1), outcome('one'), 1);
  table.note(call(3), outcome('three'), 2);
  table.note(call(4, { lowestUnanswered: 3 }), outcome('four'), 3);
  expect(table.outcomeOf(call(1).id)).toBeNull();
  expect(table.judge(call(1), 3)).toEqual({ kind: 'expired' });
  expect(table.judge(call(2), 3)).toEqual({ kind: 'expired' });
  expect(table.judge(call(3), 3)).toEqual({ kind: 'applied', outcome: outcome('three') });
});

test('a caller is forgotten only when any retry of its calls would be refused', () => {
  const table = new CallerTable(window);
  table.note(call(1, { asOf: 0 }), outcome('one'), 1);
  for (let count = 2; count <= 40; count++) {
    table.note(call(count, { run: 'busy', lowestUnanswered: count }), outcome('x'), count);
    // Never new: this call was applied.
    expect(table.judge(call(1, { asOf: 0 }), count).kind).not.toBe('new');
  }
  expect(table.size).toBe(1);
});

test('its bytes bring the same table back', () => {
  const table = new CallerTable(window);
  table.note(call(1, { run: 'b' }), outcome('one'), 1);
  table.note(call(1), outcome('two'), 2);
  table.note(call(5, { run: 'b' }), outcome('three'), 3);
  const again = CallerTable.decode(window, structuredClone(table.encode()));
  expect(again.encode()).toEqual(table.encode());
  expect(again.judge(call(5, { run: 'b' }), 3).kind).toBe('applied');
});
