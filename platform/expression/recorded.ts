import type { StoredObject } from './stored-object.ts';
import type { Scalar } from './tree.ts';

/**
 * The types that a lambda sees while it is recorded. They say which methods fit which field; what
 * they mean is in `evaluate.ts`. A field that may be absent keeps the methods of its type and
 * gives null in projections.
 */

declare const resultType: unique symbol;

/** A part that gives T when it is evaluated. No plain value has this type. */
export interface Expression<T> {
  readonly [resultType]: T;
  /** True where there is no value. */
  isNull(): BooleanExpression;
  isNotNull(): BooleanExpression;
}

/** A plain value, or a part that gives one. */
export type Operand<T extends Scalar> = T | Expression<T | null>;

interface Equality<S extends Scalar> {
  /** False where either side is absent. */
  eq(other: Operand<S>): BooleanExpression;
  /** The opposite of `eq`: true where either side is absent. */
  ne(other: Operand<S>): BooleanExpression;
}

interface Ordering<S extends Scalar> extends Equality<S> {
  lt(other: Operand<S>): BooleanExpression;
  lte(other: Operand<S>): BooleanExpression;
  gt(other: Operand<S>): BooleanExpression;
  gte(other: Operand<S>): BooleanExpression;
  /** Both ends included. */
  between(low: Operand<S>, high: Operand<S>): BooleanExpression;
}

/** Texts compare by their UTF-8 bytes. */
export interface StringExpression<T extends string | null = string>
  extends Expression<T>, Ordering<string> {
  startsWith(other: Operand<string>): BooleanExpression;
  endsWith(other: Operand<string>): BooleanExpression;
  includes(other: Operand<string>): BooleanExpression;
  /** UTF-16 units, as in JavaScript. */
  length(): NumberExpression<number | NullOf<T>>;
  orElse(other: Operand<string>): StringExpression;
}

/** A result that is not finite is absent. */
export interface NumberExpression<T extends number | null = number>
  extends Expression<T>, Ordering<number> {
  add(other: Operand<number>): NumberExpression<number | NullOf<T>>;
  sub(other: Operand<number>): NumberExpression<number | NullOf<T>>;
  mul(other: Operand<number>): NumberExpression<number | NullOf<T>>;
  div(other: Operand<number>): NumberExpression<number | null>;
  orElse(other: Operand<number>): NumberExpression;
}

/** Only `true` counts as true. */
export interface BooleanExpression<T extends boolean | null = boolean>
  extends Expression<T>, Equality<boolean> {
  and(...others: readonly Operand<boolean>[]): BooleanExpression;
  or(...others: readonly Operand<boolean>[]): BooleanExpression;
  not(): BooleanExpression;
  orElse(other: Operand<boolean>): BooleanExpression;
}

/** A field that may be of several scalar types. */
export interface ScalarExpression<T extends Scalar>
  extends Expression<T>, Equality<NonNullable<T>> {}

export interface ListExpression<E, T> extends Expression<T> {
  length(): NumberExpression<number | NullOf<T>>;
  /** The item at an index from 0; absent outside. Negative indexes count from the end. */
  at(index: Operand<number>): Recorded<E | null>;
  /** Whether a scalar is among the items. */
  includes(item: Operand<Extract<E, Scalar>>): BooleanExpression;
}

/** A raw value: its bytes can be projected, not looked into. */
export type BytesExpression<T> = Expression<T>;

type NullOf<T> = null extends T ? null : undefined extends T ? null : never;

/** Whether a field may be missing altogether. */
type MissingOf<O, K extends keyof O> = [O] extends [Record<K, unknown>] ? never : null;

export type ObjectExpression<O, N> = Expression<O | N> & {
  readonly [K in keyof O]-?: Recorded<O[K] | MissingOf<O, K> | N>;
};

/** A map with names of any kind, such as `meta`. */
export interface MapExpression<E, T> extends Expression<T> {
  /** What stands under a name; absent where nothing does. */
  get(name: string): Recorded<E | null>;
}

type RecordedPresent<P, N extends null> = [P] extends [boolean]
  ? BooleanExpression<boolean | N>
  : [P] extends [number]
    ? NumberExpression<P | N>
    : [P] extends [string]
      ? StringExpression<P | N>
      : [P] extends [Exclude<Scalar, null>]
        ? ScalarExpression<P | N>
        : [P] extends [Uint8Array]
          ? BytesExpression<P | N>
          : [P] extends [readonly (infer E)[]]
            ? ListExpression<E, P | N>
            : [P] extends [object]
              ? string extends keyof P
                ? MapExpression<P[keyof P], P | N>
                : ObjectExpression<P, N>
              : Expression<P | N>;

/** What stands for a T inside a recorded lambda. */
export type Recorded<T> = unknown extends T
  ? Expression<unknown>
  : RecordedPresent<NonNullable<T>, NullOf<T>>;

/** What stands for a stored object inside a recorded lambda. */
export type RecordedObject<V> = Recorded<StoredObject<V>>;

/** What a `select` may return: a part, a constant, or an object or list of those. */
export type Projection =
  Expression<unknown> | Scalar | readonly Projection[] | { readonly [name: string]: Projection };

/** What a projection gives when it is evaluated. */
export type Projected<R> =
  R extends Expression<infer T>
    ? T
    : R extends Scalar
      ? R
      : { -readonly [K in keyof R]: Projected<R[K]> };
