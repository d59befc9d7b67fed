import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { FreshetError, parseConfig } from '../../../platform/base/mod.ts';

const schema = Type.Object({
  name: Type.String({ default: 'member' }),
  heartbeatMs: Type.Integer({ minimum: 1, maximum: 10_000, default: 50, unit: 'ms' }),
  http: Type.Object({ port: Type.Integer({ maximum: 65_535, default: 7400 }) }, { default: {} }),
  ack: Type.Union([Type.Literal('delivered'), Type.Literal('persisted')], {
    default: 'persisted',
  }),
  members: Type.Array(Type.Object({ address: Type.String() }), { default: [] }),
  labels: Type.Record(Type.String(), Type.String(), { default: {} }),
  shards: Type.Optional(
    Type.Union([Type.Integer(), Type.Array(Type.Object({ min: Type.Integer() }))]),
  ),
  log: Type.Optional(Type.Union([Type.String(), Type.Object({ level: Type.String() })])),
});

const parse = (input: unknown) => parseConfig(schema, input, { source: 'freshet.json' });

function problemOf(input: unknown): string {
  try {
    parse(input);
  } catch (error) {
    expect(error).toBeInstanceOf(FreshetError);
    expect(error).toMatchObject({ code: 'INVALID_CONFIG' });
    return (error as FreshetError).message;
  }
  throw new Error('was accepted');
}

test('nothing given is all defaults', () => {
  const expected = {
    name: 'member',
    heartbeatMs: 50,
    http: { port: 7400 },
    ack: 'persisted',
    members: [],
    labels: {},
  };
  expect(parse({})).toEqual(expected);
  expect(parse(undefined)).toEqual(expected);
});

test('what is given wins over the default, and the input is left alone', () => {
  const input = { http: {}, members: [{ address: 'a:1' }] };
  expect(parse(input)).toMatchObject({ http: { port: 7400 }, members: [{ address: 'a:1' }] });
  expect(input.http).toEqual({});
});

test('the result is frozen all the way down', () => {
  const config = parse({ members: [{ address: 'a:1' }] });
  for (const part of [config, config.http, config.members, config.members[0]]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
});

describe('what is refused', () => {
  test('an unknown name, with the nearest known one and its place', () => {
    expect(problemOf({ heartbeatMS: 10 })).toBe(
      'In freshet.json: heartbeatMS is not a known setting (did you mean heartbeatMs?)',
    );
    expect(problemOf({ http: { prot: 1 } })).toContain('http.prot is not a known setting');
    expect(problemOf({ http: { prot: 1 } })).toContain('did you mean port?');
    expect(problemOf({ members: [{ address: 'a', adress: 'b' }] })).toContain('members[0].adress');
    expect(problemOf({ log: { levle: 'info', level: 'info' } })).toContain('did you mean level?');
    expect(problemOf({ shards: [{ min: 1, mni: 2 }] })).toContain('shards[0].mni');
  });

  test('a name unlike every known one, with the list', () => {
    expect(problemOf({ zzzzzzzz: 1 })).toContain('known are name, heartbeatMs');
  });

  test('names that every object inherits', () => {
    expect(problemOf(JSON.parse('{"__proto__": 1}'))).toContain('__proto__');
    expect(problemOf({ constructor: 1 })).toContain('constructor is not a known setting');
  });

  test('a value out of range, with its unit and what was given', () => {
    expect(problemOf({ heartbeatMs: 0 })).toBe(
      'In freshet.json: heartbeatMs must be >= 1 ms, not 0',
    );
  });

  test('a wrong type, a wrong choice, something missing', () => {
    expect(problemOf({ name: 7 })).toContain('name must be string, not 7');
    expect(problemOf({ ack: 'maybe' })).toContain(
      'ack must be one of delivered, persisted, not "maybe"',
    );
    expect(problemOf({ members: [{}] })).toContain('members[0].address is missing');
    expect(problemOf([])).toContain('freshet.json');
    expect(problemOf('text')).toContain('it must be object');
  });

  test('all problems are told at once', () => {
    const message = problemOf({ nmae: 'x', heartbeatMs: 'soon', members: [{}] });
    expect(message).toContain('nmae');
    expect(message).toContain('heartbeatMs');
    expect(message).toContain('members[0].address');
  });
});
