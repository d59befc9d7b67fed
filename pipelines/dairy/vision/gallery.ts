/**
 * Which of the enrolled cows is it? The nearest enrolled embedding by cosine, or unknown.
 *
 * Owning thread: the one that made it. Invariants:
 * 1. Every stored vector has length 1 and the gallery's one number of dimensions.
 * 2. A name holds between 1 and `vectorsPerNameMax` vectors; the gallery `namesMax` names.
 * 3. Enrolling again replaces all that was known of the name.
 */
import { normalise } from './decode-embedding.ts';
import { visionError } from './errors.ts';

export interface GalleryLimits {
  readonly namesMax: number;
  readonly vectorsPerNameMax: number;
}

export const galleryLimits: GalleryLimits = { namesMax: 10_000, vectorsPerNameMax: 64 };

export interface Match {
  /** The nearest enrolled name; null when the gallery is empty. */
  readonly name: string | null;
  /** Cosine with its nearest vector, -1 to 1; -1 when the gallery is empty. */
  readonly similarity: number;
  /** The nearest vector of any other name, -1 when there is no other. */
  readonly runnerUp: number;
  /** `similarity` reached the threshold: it is `name`. Otherwise the cow is unknown. */
  readonly isKnown: boolean;
}

export class Gallery {
  readonly #threshold: number;
  readonly #limits: GalleryLimits;
  readonly #vectors = new Map<string, readonly Float32Array[]>();
  #dimensions: number | null = null;

  /** @param threshold the least cosine at which a cow is taken for a known one, -1 to 1 */
  constructor(threshold: number, limits: GalleryLimits = galleryLimits) {
    if (!(threshold >= -1 && threshold <= 1)) {
      throw galleryError(`the threshold ${threshold} is no cosine`, 'Use a number from -1 to 1');
    }
    this.#threshold = threshold;
    this.#limits = limits;
  }

  get size(): number {
    return this.#vectors.size;
  }

  names(): string[] {
    return [...this.#vectors.keys()];
  }

  /**
   * Makes these the embeddings of `name`, whatever was enrolled before.
   *
   * @throws INVALID_CONFIG for no vector, too many, or another number of dimensions than
   *   the gallery holds (another model made them)
   */
  enrol(name: string, embeddings: readonly Float32Array[]): void {
    const { namesMax, vectorsPerNameMax } = this.#limits;
    if (embeddings.length === 0 || embeddings.length > vectorsPerNameMax) {
      const mend = `Enrol with 1 to ${vectorsPerNameMax} pictures`;
      throw galleryError(`${name} comes with ${embeddings.length} embeddings`, mend);
    }
    if (!this.#vectors.has(name) && this.#vectors.size >= namesMax) {
      throw galleryError(`${namesMax} cows are enrolled already`, 'Remove one, or raise namesMax');
    }
    const first = embeddings[0]?.length ?? 0;
    // A gallery of this one name only may change its model.
    const others = this.#vectors.size - (this.#vectors.has(name) ? 1 : 0);
    const dimensions = others === 0 ? first : (this.#dimensions ?? first);
    for (const embedding of embeddings) this.#check(name, embedding, dimensions);
    this.#dimensions = dimensions;
    this.#vectors.set(name, embeddings.map(normalise));
  }

  /** @returns whether the name was enrolled */
  remove(name: string): boolean {
    const wasThere = this.#vectors.delete(name);
    if (this.#vectors.size === 0) this.#dimensions = null;
    return wasThere;
  }

  /** @throws INVALID_CONFIG when the embedding has another number of dimensions */
  identify(embedding: Float32Array): Match {
    if (this.#dimensions !== null) this.#check('the asked cow', embedding, this.#dimensions);
    const asked = normalise(embedding);
    let name: string | null = null;
    let similarity = -1;
    let runnerUp = -1;
    for (const [candidate, vectors] of this.#vectors) {
      const nearest = vectors.reduce((best, vector) => Math.max(best, dot(vector, asked)), -1);
      if (name === null || nearest > similarity) {
        runnerUp = similarity;
        similarity = nearest;
        name = candidate;
      } else if (nearest > runnerUp) {
        runnerUp = nearest;
      }
    }
    return { name, similarity, runnerUp, isKnown: name !== null && similarity >= this.#threshold };
  }

  #check(name: string, embedding: Float32Array, dimensions: number): void {
    if (embedding.length === dimensions && embedding.every((value) => Number.isFinite(value)))
      return;
    const found =
      embedding.length === dimensions
        ? 'numbers that are not finite'
        : `${embedding.length} dimensions, the gallery has ${dimensions}`;
    throw galleryError(
      `the embedding of ${name} has ${found}`,
      'Enrol and ask with the same model, and enrol again after changing it',
    );
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function galleryError(message: string, mend: string): Error {
  return visionError('INVALID_CONFIG', { message, mend });
}
