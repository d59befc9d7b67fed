import { Type } from 'typebox';

/** The `read` of a query string. */
export const ReadLevelName = Type.Union([
  Type.Literal('local'),
  Type.Literal('stable'),
  Type.Literal('linearizable'),
]);
