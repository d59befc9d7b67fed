export { FreshetError, isFreshetError, image, json, msgpack, raw } from '../platform/client/mod.ts';
export type { Codec, Database, Pool, Stored } from '../platform/client/mod.ts';
export { Type } from 'typebox';
export type { Static } from 'typebox';
export { parseLambdaConfig } from './config.ts';
export { defineLambda } from './define.ts';
export type {
  Emit,
  EmitOptions,
  Lambda,
  LambdaContext,
  LambdaDefinition,
  LambdaEvent,
  LambdaLogger,
  Output,
  Outputs,
  OutputValue,
  SetupContext,
} from './lambda.ts';
export type { Emitted, ItemOutcome, RawEvent } from './run-batch.ts';
export { emitsPerEventMax, outputCodecs, runBatch } from './run-batch.ts';
export type { TestEvent, TestOptions, TestResult } from './test-lambda.ts';
export { testLambda } from './test-lambda.ts';
