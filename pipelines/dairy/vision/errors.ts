/**
 * The one place where the vision code makes its errors: a code, a sentence that says what was
 * found and where, and the mend. Every other file of this folder throws through `visionError`.
 */
import { FreshetError } from '../../../udl/mod.ts';

/**
 * IMAGE_INVALID: the bytes are no picture that can be decoded within the limits.
 * MODEL_INVALID: the file is no ONNX model, or not of the shape that its description says.
 * INVALID_CONFIG: a description of a model, or what is done with it, is wrong in itself.
 * CLOSED: a model was used after it was closed.
 */
export type VisionErrorCode = 'IMAGE_INVALID' | 'MODEL_INVALID' | 'INVALID_CONFIG' | 'CLOSED';

export interface VisionErrorDetails {
  /** What was found, where, and what was expected. */
  readonly message: string;
  /** What to do about it. */
  readonly mend: string;
  readonly cause?: unknown;
}

export function visionError(code: VisionErrorCode, details: VisionErrorDetails): FreshetError {
  const { message, mend, cause } = details;
  return new FreshetError(code, message, { mend, cause });
}

/** The message of whatever was thrown, without its stack. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
