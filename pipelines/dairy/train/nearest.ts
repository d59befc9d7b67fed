/** Vectors of length 1 under names, and the nearest of them by cosine. */
export type Nearest = { readonly name: number; readonly cosine: number };

export class Nearby {
  readonly #vectors: { readonly name: number; readonly vector: Float32Array }[] = [];

  add(name: number, vector: Float32Array): void {
    this.#vectors.push({ name, vector });
  }

  /** Null where nothing was added. */
  nearest(vector: Float32Array): Nearest | null {
    let best: Nearest | null = null;
    for (const known of this.#vectors) {
      const cosine = dot(known.vector, vector);
      if (best === null || cosine > best.cosine) best = { name: known.name, cosine };
    }
    return best;
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
