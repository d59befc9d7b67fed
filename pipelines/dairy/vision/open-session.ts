/**
 * Sessions of onnxruntime as the pipeline and its measures use them.
 */
import { InferenceSession } from 'onnxruntime-node';

/**
 * A session of one thread: frames run side by side in workers, and a pool of threads for each
 * session would fight over the same cores. Throws what onnxruntime throws when `bytes` are no
 * model.
 */
export async function openSession(bytes: Uint8Array): Promise<InferenceSession> {
  // For programs that infer on their main thread; a member sees to its workers. See there.
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
  return InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
}
