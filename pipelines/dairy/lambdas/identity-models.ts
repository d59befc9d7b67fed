/**
 * The identity models of all coats, open, and a crop's embedding by the one for its coat.
 */
import type { DairyModels, RawImage, VisionModel } from '../vision/mod.ts';
import { FreshetError } from '../../../udl/mod.ts';
import { openModel } from './cow-finder.ts';
import type { Asset } from './cow-finder.ts';
import type { CowCrop } from './values.ts';

export class IdentityModels {
  readonly #open: ReadonlyMap<string, VisionModel>;

  private constructor(open: ReadonlyMap<string, VisionModel>) {
    this.#open = open;
  }

  static async open(models: DairyModels, asset: Asset): Promise<IdentityModels> {
    const open = new Map<string, VisionModel>();
    for (const [coat, { model }] of models.identity) open.set(coat, await openModel(model, asset));
    return new IdentityModels(open);
  }

  /** @throws INVALID_VALUE for a crop whose size and pixels disagree, or of an unknown coat */
  async embed(crop: CowCrop): Promise<Float32Array> {
    const result = await this.#modelOf(crop).run(pictureOf(crop));
    if (result.kind === 'embedding') return result.vector;
    throw new FreshetError('INVALID_CONFIG', `the identity model gives ${result.kind}`);
  }

  /** What she is enrolled by, one vector for each turn that the model asks for. */
  async embedForEnrolment(crop: CowCrop): Promise<readonly Float32Array[]> {
    return this.#modelOf(crop).enrolmentViews(pictureOf(crop));
  }

  nameOf(crop: CowCrop): string {
    return this.#modelOf(crop).config.name;
  }

  async close(): Promise<void> {
    for (const model of this.#open.values()) await model.close();
  }

  #modelOf({ coat }: CowCrop): VisionModel {
    const model = this.#open.get(coat);
    if (model !== undefined) return model;
    throw new FreshetError('INVALID_VALUE', `there is no identity model for the coat ${coat}`);
  }
}

function pictureOf({ crop }: CowCrop): RawImage {
  const { width, height, pixels } = crop;
  if (pixels instanceof Uint8Array && pixels.length === width * height * 3) return crop;
  throw new FreshetError(
    'INVALID_VALUE',
    `a crop of ${width} x ${height} has ${pixels.length} bytes, not ${width * height * 3}`,
  );
}
