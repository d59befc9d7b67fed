import { describe, expect, expectTypeOf, it } from 'vitest';
import { defineLambda, image, json, testLambda, Type } from '../../../udl/mod.ts';

const Reading = Type.Object({ litres: Type.Number() });
const Alarm = Type.Object({ cow: Type.String(), litres: Type.Number() });

const threshold = defineLambda({
  name: 'dairy/threshold',
  version: '1',
  input: json(Reading),
  emits: { alarms: Alarm, copies: image() },
  config: Type.Object({ litresMin: Type.Number() }),
  setup: (ctx) => ({ litresMin: ctx.config.litresMin, seen: 0 }),
  run(events, ctx) {
    for (const event of events) {
      expectTypeOf(event.value.litres).toEqualTypeOf<number>();
      ctx.state.seen++;
      if (event.value.litres < 0) event.fail(new Error('negative yield'));
      if (event.value.litres < ctx.state.litresMin) {
        event.emit.alarms(event.name, { cow: event.name, litres: event.value.litres });
      }
    }
  },
});

describe('defineLambda', () => {
  it('fills in defaults', () => {
    expect(threshold).toMatchObject({ on: 'put', order: 'key', dispatch: 'one', timeoutMs: 2000 });
  });

  it('names what is not possible', () => {
    const define = () =>
      defineLambda({ ...threshold, config: Type.Object({}), name: 'Dairy Filter' });
    expect(define).toThrow(/'Dairy Filter' is not possible: its name/);
    expect(() => defineLambda({ ...threshold, config: Type.Object({}), timeoutMs: 0 })).toThrow(
      /timeoutMs is not from 1 to 600000/,
    );
  });

  it.each([
    [{ on: 'puts' }, /on is not one of put, trigger, both/],
    [{ order: 'keys' }, /order is not one of key, none, single/],
    [{ dispatch: 'any' }, /dispatch is not one of one, all, primary/],
    [{ retries: { backoffMs: [-1, 5] } }, /retries\.backoffMs is not/],
    [{ retries: { backoffMs: 5 } }, /retries\.backoffMs is not/],
    [{ version: 5 }, /its version is no text/],
    [{ name: undefined }, /its name is no text/],
    [{ input: Reading }, /its input is no codec/],
    [{ emits: { out: 5 } }, /its output 'out' is neither a schema nor a codec/],
    [{ config: 5 }, /its config is no schema/],
    [{ run: undefined }, /it has no function run/],
    [{ timeout: 5 }, /it has no option 'timeout'/],
  ])('names what the compiler would have: %j', (wrong, message) => {
    const define = defineLambda as unknown as (definition: object) => unknown;
    expect(() => define({ ...threshold, ...wrong })).toThrow(message);
  });
});

describe('testLambda', () => {
  const run = (litres: number[]) =>
    testLambda(
      threshold,
      litres.map((value, index) => ({
        key: `/dairy/yield/cow_${String(index)}`,
        value: { litres: value },
      })),
      { config: { litresMin: 10 } },
    );

  it('collects emits by output and name', async () => {
    const { emitted, failed } = await run([12, 8]);
    expect(failed).toEqual([]);
    expect(emitted).toEqual([
      {
        key: '/dairy/yield/cow_1',
        output: 'alarms',
        name: 'cow_1',
        value: { cow: 'cow_1', litres: 8 },
      },
    ]);
  });

  it('refuses a configuration that does not fit', async () => {
    await expect(testLambda(threshold, [], { config: {} as never })).rejects.toThrow(
      /dairy\/threshold.*litresMin/,
    );
  });

  it('drops the emits of a failed event and keeps those of the others', async () => {
    const { emitted, failed } = await run([-1, 9]);
    expect(failed.map(({ key, error }) => [key, error.code, error.message])).toEqual([
      ['/dairy/yield/cow_0', 'LAMBDA_FAILED', 'negative yield'],
    ]);
    expect(emitted.map(({ name }) => name)).toEqual(['cow_1']);
  });

  it('fails an event whose value does not fit the input', async () => {
    const events = [{ key: '/dairy/yield/cow_1', value: { litres: 3 } }];
    const broken = { ...threshold, input: json(Type.Object({ litres: Type.String() })) };
    await expect(
      testLambda(broken as never, events as never, { config: { litresMin: 1 } }),
    ).rejects.toThrow(/does not fit its schema at \/litres/);
  });

  it('keeps what was emitted as it was then, whatever becomes of the array', async () => {
    const shared = Uint8Array.of(1);
    const counts = defineLambda({
      name: 'dairy/counts',
      version: '1',
      input: json(Reading),
      emits: { copies: image() },
      run(events) {
        for (const event of events) {
          event.emit.copies(event.name, shared);
          shared[0] = 7;
        }
      },
    });
    const { emitted } = await testLambda(counts, [
      { key: '/dairy/yield/a', value: { litres: 1 } },
      { key: '/dairy/yield/b', value: { litres: 2 } },
    ]);
    expect(emitted.map(({ value }) => value)).toEqual([Uint8Array.of(1), Uint8Array.of(7)]);
  });

  it('tells a lambda that emits or fails when its run is over', async () => {
    const late: (() => void)[] = [];
    const hasty = defineLambda({
      name: 'dairy/hasty',
      version: '1',
      input: json(Reading),
      emits: { alarms: Alarm },
      run(events) {
        for (const { emit, fail } of events) {
          late.push(
            () => {
              emit.alarms('late', { cow: 'late', litres: 1 });
            },
            () => {
              fail(new Error('late'));
            },
          );
        }
      },
    });
    const key = '/dairy/yield/cow_1';
    const result = await testLambda(hasty, [{ key, value: { litres: 3 } }]);
    expect(late).toHaveLength(2);
    for (const call of late) expect(call).toThrow(/'dairy\/hasty' called .* its run was over/);
    expect(result).toEqual({ emitted: [], failed: [] });
  });

  it('refuses an output that was not declared', async () => {
    const emitsElsewhere = defineLambda({
      name: 'dairy/stray',
      version: '1',
      input: json(Reading),
      emits: { alarms: Alarm },
      run: (events) => {
        for (const event of events)
          (event.emit as never as Record<string, () => void>)['elsewhere']?.();
      },
    });
    const stray = testLambda(emitsElsewhere, [{ key: '/dairy/yield/cow_1', value: { litres: 3 } }]);
    await expect(stray).rejects.toMatchObject({ code: 'UNDECLARED_EDGE' });
  });

  it('refuses a schema of the wrong type at compile time', () => {
    defineLambda({
      name: 'dairy/typed',
      version: '1',
      input: json(Reading),
      emits: { alarms: Alarm },
      run: (events) => {
        for (const event of events) {
          // @ts-expect-error litres is a number
          if (event.value.litres === 0) event.emit.alarms('x', { cow: 'x', litres: 'many' });
        }
      },
    });
  });
});
