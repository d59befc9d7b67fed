export type { Range, ScanBounds } from './bounds.ts';
export { boundsOf, intersect, intersectRanges, openBounds } from './bounds.ts';
export type { NativeSplit } from './compile-native.ts';
export { compileNative } from './compile-native.ts';
export type { Evaluator } from './evaluate.ts';
export { compile, compilePredicate, evaluate } from './evaluate.ts';
export { expressionLimits, nativeLimits } from './limits.ts';
export type {
  NativeField,
  NativeInstruction,
  NativeOpcode,
  NativeRecord,
} from './native-program.ts';
export {
  encodeNative,
  nativeFields,
  nativeFilter,
  nativeOpcodes,
  verifyNative,
} from './native-program.ts';
export type { ElementShape } from './parse.ts';
export { isWellFormed, parseTree } from './parse.ts';
export type {
  BooleanExpression,
  Expression,
  ListExpression,
  MapExpression,
  NumberExpression,
  ObjectExpression,
  Operand,
  Projected,
  Projection,
  Recorded,
  RecordedObject,
  ScalarExpression,
  StringExpression,
} from './recorded.ts';
export { record } from './recorder.ts';
export type { StoredField, StoredObject } from './stored-object.ts';
export { storedFields } from './stored-object.ts';
export {
  canBeCondition,
  compose,
  conjunction,
  conjunctsOf,
  fieldPathOf,
  usesField,
} from './transform.ts';
export type { ExpressionNode, ExpressionTree, Operator, Scalar } from './tree.ts';
export { describe, operatorNames, operators } from './tree.ts';
