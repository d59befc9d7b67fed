/** As many look-ups are judged together; more than are kept, so that filling it is no failure. */
const trialSize = 8192;
const keptMax = 4096;
/** Look-ups without it, after a trial in which less than half were found. */
const restSize = 16 * trialSize;

/**
 * What was worked out of keys, for those that come again and again. Where most keys are new, to
 * look for them costs more than it saves: then it rests, and is tried again a while later.
 */
export class KeptByKey<Value extends object> {
  readonly #values = new Map<string, Value>();
  #asked = 0;
  #found = 0;
  #rests = 0;

  get(key: string): Value | null {
    if (this.#rests > 0) {
      this.#rests--;
      return null;
    }
    const value = this.#values.get(key);
    if (value !== undefined) this.#found++;
    if (++this.#asked === trialSize) this.#judge();
    return value ?? null;
  }

  keep(key: string, value: Value): void {
    if (this.#rests === 0 && this.#values.size < keptMax) this.#values.set(key, value);
  }

  clear(): void {
    this.#values.clear();
  }

  #judge(): void {
    if (2 * this.#found < this.#asked) {
      this.#values.clear();
      this.#rests = restSize;
    }
    this.#asked = 0;
    this.#found = 0;
  }
}
