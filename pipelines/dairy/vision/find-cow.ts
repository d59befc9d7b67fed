/**
 * One answer for both kinds of filter: the repository's own network, which also tells the coat,
 * and a foreign detector, which only tells where.
 */
import type { Box } from './boxes.ts';
import type { Coat } from './decode-cow-box.ts';
import { visionError } from './errors.ts';
import type { VisionResult } from './vision-model.ts';

export interface CowFinding {
  readonly found: boolean;
  /** 0 to 1; of a detector that saw nothing above its threshold, 0. */
  readonly score: number;
  /** In pixels of the picture; null when no cow was found. */
  readonly box: Box | null;
  /** Null when the model tells none, or no cow was found. */
  readonly coat: Coat | null;
}

/**
 * @throws INVALID_CONFIG for the result of an embedding: it cannot be the filter
 */
export function findCow(result: VisionResult): CowFinding {
  switch (result.kind) {
    case 'cow': {
      const { found, score } = result;
      return { found, score, box: found ? result.box : null, coat: found ? result.coat : null };
    }
    case 'detections': {
      const best = result.detections[0] ?? null;
      return { found: best !== null, score: best?.score ?? 0, box: best?.box ?? null, coat: null };
    }
    case 'embedding':
      throw visionError('INVALID_CONFIG', {
        message: 'a model with the decoder embedding finds no cow',
        mend: 'Give the filter a model with the decoder cow-box, yolox or nanodet',
      });
  }
}
