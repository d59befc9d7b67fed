import { describe, expect, test } from 'vitest';
import {
  errorCodeNames,
  errorCodes,
  errorFromObject,
  FreshetError,
  isErrorCode,
  isFreshetError,
  toFreshetError,
} from '../../../platform/base/mod.ts';

describe('the code table', () => {
  test('every code is documented and says what to do', () => {
    expect(errorCodeNames.length).toBeGreaterThan(30);
    for (const code of errorCodeNames) {
      const { summary, mend } = errorCodes[code];
      expect(code).toMatch(/^[A-Z][A-Z_]+[A-Z]$/);
      expect(summary, code).toMatch(/^[a-z].{10,}[^.]$/);
      expect(mend, code).toMatch(/^[A-Z].{5,}[^.]$/);
    }
  });

  test('no two codes mean the same', () => {
    const summaries = errorCodeNames.map((code) => errorCodes[code].summary);
    expect(new Set(summaries).size).toBe(errorCodeNames.length);
    expect(new Set(errorCodeNames).size).toBe(errorCodeNames.length);
  });

  test('the table cannot be changed', () => {
    expect(Object.isFrozen(errorCodes)).toBe(true);
    for (const code of errorCodeNames) {
      expect(Object.isFrozen(errorCodes[code])).toBe(true);
    }
  });

  test('a code and its text are one to one', () => {
    const texts = errorCodeNames.map((code) => new FreshetError(code, 'x').toString());
    expect(new Set(texts).size).toBe(errorCodeNames.length);
    for (const [i, text] of texts.entries()) {
      expect(text.slice(0, text.indexOf(':'))).toBe(errorCodeNames[i]);
    }
  });

  test('only own names are codes', () => {
    expect(isErrorCode('NOT_FOUND')).toBe(true);
    for (const text of ['toString', '__proto__', 'not_found', '', 7, null]) {
      expect(isErrorCode(text)).toBe(false);
    }
  });
});

describe('FreshetError', () => {
  test('says what, where and the mend in one line', () => {
    const error = new FreshetError('UNKNOWN_POOL', "No pool '/cows'", {
      mend: "Did you mean '/cow'?",
      details: { pool: '/cows' },
    });
    expect(error.toString()).toBe("UNKNOWN_POOL: No pool '/cows'. Did you mean '/cow'?");
    expect(error.details).toEqual({ pool: '/cows' });
    expect(Object.isFrozen(error.details)).toBe(true);
  });

  test('takes retryable and the mend from the table', () => {
    const error = new FreshetError('OVERLOADED', 'The queue is full');
    expect(error.retryable).toBe(true);
    expect(error.mend).toBe(errorCodes.OVERLOADED.mend);
    expect(isFreshetError(error, 'OVERLOADED')).toBe(true);
    expect(isFreshetError(error, 'TIMEOUT')).toBe(false);
  });

  test('every code survives the way through a door', () => {
    for (const code of errorCodeNames) {
      const sent = new FreshetError(code, 'It failed', { mend: 'Do this', details: { at: 3 } });
      const arrived = errorFromObject(JSON.parse(JSON.stringify(sent)));
      expect(arrived.toJSON()).toEqual(sent.toJSON());
    }
  });

  test('what arrives in an unknown form is INTERNAL, with what was seen', () => {
    const unknownCode = errorFromObject({ code: 'NEW_CODE', message: 'Later' });
    expect(unknownCode.code).toBe('INTERNAL');
    expect(unknownCode.details).toEqual({ receivedCode: 'NEW_CODE' });
    for (const value of [null, 7, 'text', {}]) {
      expect(errorFromObject(value).code).toBe('INTERNAL');
    }
  });

  test('details of another shape are kept as text', () => {
    const arrived = errorFromObject({ code: 'TIMEOUT', message: 'x', details: { a: { b: 1 } } });
    expect(arrived.details).toEqual({ a: '{"b":1}' });
  });

  test('what was thrown elsewhere becomes coded with its cause', () => {
    const cause = new RangeError('out of reach');
    const error = toFreshetError(cause, 'LAMBDA_FAILED');
    expect(error.code).toBe('LAMBDA_FAILED');
    expect(error.message).toBe('out of reach');
    expect(error.cause).toBe(cause);
    expect(toFreshetError(error)).toBe(error);
    expect(toFreshetError('only text').message).toBe('only text');
  });
});
