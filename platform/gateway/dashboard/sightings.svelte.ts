import { getLines, getObject, type Version, watch } from './api.ts';
import { lastSegment } from './format.ts';

const framesPool = '/dairy/frames';
const storagePool = '/dairy/storage';
const riskPool = '/dairy/risk';
const shownMax = 9;

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What the pipeline says of one frame, as `/dairy/storage` has it. */
interface Sighting {
  readonly cow: string | null;
  readonly coat: string;
  readonly similarity: number;
  readonly score: number;
  readonly box: Box;
  readonly frame: { readonly width: number; readonly height: number };
}

/** A frame with all that is known of it. */
export interface Shown {
  readonly id: string;
  readonly camera: string;
  readonly picture: ImageBitmap;
  readonly box: Box | null;
  readonly coat: string;
  /** null: not asked yet (an older frame); the empty string: unknown. */
  readonly cow: string | null;
  readonly similarity: number | null;
  readonly score: number | null;
  /** Likelihood of calving within the horizon, or null. */
  readonly risk: number | null;
  readonly withinDays: number;
  /** From the picture's capture (or its arrival) to the stored result. */
  readonly ms: number | null;
  readonly time: number;
}

/**
 * The newest recognised frames. One stream of results; a frame is fetched when its result has come,
 * and left out if a newer one of its camera has already taken its place.
 */
export class Sightings {
  shown = $state.raw<readonly Shown[]>([]);
  isThere = $state(true);
  total = $state(0);
  #stop: (() => void) | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  readonly #listeners = new Set<(shown: Shown, frame: string) => void>();

  start(): void {
    void this.#begin();
  }

  stop(): void {
    this.#stop?.();
    if (this.#retry !== null) clearTimeout(this.#retry);
  }

  /** Told of every recognised frame; returns how to end that. */
  listen(onShown: (shown: Shown, frame: string) => void): () => void {
    this.#listeners.add(onShown);
    return () => this.#listeners.delete(onShown);
  }

  async #begin(): Promise<void> {
    try {
      const cameras = await getLines<string>(`/v1/keys?prefix=${framesPool}/&limit=${shownMax}`);
      this.isThere = true;
      this.#stop = watch(storagePool, (version) => {
        void this.#onResult(version);
      });
      for (const key of cameras) await this.#showOlder(key);
    } catch {
      // The pipeline may be deployed while the page is open.
      this.isThere = false;
      this.#retry = setTimeout(() => void this.#begin(), 3000);
    }
  }

  async #showOlder(key: string): Promise<void> {
    const loaded = await getObject(key);
    if (loaded === null) return;
    const picture = await createImageBitmap(new Blob([loaded.bytes], { type: loaded.type }));
    const { box, coat = '', frame = '' } = loaded.meta;
    this.#add({
      id: `${key} ${String(loaded.version)} ${frame}`,
      camera: lastSegment(key),
      picture,
      box: box === undefined ? null : (JSON.parse(box) as Box),
      coat,
      cow: null,
      similarity: null,
      score: null,
      risk: null,
      withinDays: 1,
      ms: null,
      time: loaded.time,
    });
  }

  async #onResult(version: Version): Promise<void> {
    this.total++;
    const { key, meta, time, eventTime } = version;
    const sighting = version.value as Sighting;
    const camera = lastSegment(key);
    const [loaded, risk] = await Promise.all([
      getObject(`${framesPool}/${camera}`).catch(() => null),
      sighting.cow === null ? null : riskOf(sighting.cow),
    ]);
    if (loaded === null || loaded.meta.frame !== meta.frame) return;
    const picture = await createImageBitmap(new Blob([loaded.bytes], { type: loaded.type }));
    const shown: Shown = {
      id: `${key} ${String(version.epoch)} ${String(version.version)}`,
      camera,
      picture,
      box: sighting.box,
      coat: sighting.coat,
      cow: sighting.cow ?? '',
      similarity: sighting.similarity,
      score: sighting.score,
      risk: risk?.probability ?? null,
      withinDays: risk?.withinDays ?? 1,
      ms: eventTime === null || time < eventTime ? null : (time - eventTime) / 1000,
      time,
    };
    this.#add(shown);
    for (const listener of this.#listeners) listener(shown, meta.frame ?? '');
  }

  #add(shown: Shown): void {
    const all = [shown, ...this.shown].sort((a, b) => b.time - a.time);
    for (const { picture } of all.slice(shownMax)) picture.close();
    this.shown = all.slice(0, shownMax);
  }
}

interface Risk {
  readonly probability: number;
  readonly withinDays: number;
}

/** Of her last assessment; this frame's own follows a moment later. */
async function riskOf(cow: string): Promise<Risk | null> {
  const loaded = await getObject(`${riskPool}/${cow}`).catch(() => null);
  return loaded === null ? null : (JSON.parse(new TextDecoder().decode(loaded.bytes)) as Risk);
}
