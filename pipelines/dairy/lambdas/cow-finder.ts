/**
 * A frame to the cow in it, cut out as her identity model wants her. The frame is decoded once:
 * the filter's input and the crop both come from the same pixels.
 */
import {
  coatOf,
  cropImage,
  findCow,
  growBox,
  ImageDecoder,
  readDairyModels,
  VisionModel,
} from '../vision/mod.ts';
import type { DairyModels } from '../vision/mod.ts';
import { FreshetError } from '../../../udl/mod.ts';
import type { CowCrop } from './values.ts';

export type Asset = (name: string) => string;

export class CowFinder {
  readonly #models: DairyModels;
  readonly #filter: VisionModel;
  readonly #decoder = new ImageDecoder();

  private constructor(models: DairyModels, filter: VisionModel) {
    this.#models = models;
    this.#filter = filter;
  }

  /** @param list the asset that lists the models, itself naming the assets of each */
  static async open(list: string, asset: Asset): Promise<CowFinder> {
    const models = await readDairyModels(asset(list));
    return new CowFinder(models, await openModel(models.filter, asset));
  }

  /**
   * @returns null when there is no cow in the frame
   * @throws IMAGE_INVALID for what is no picture
   */
  async find(jpeg: Uint8Array): Promise<CowCrop | null> {
    const frame = await this.#decoder.decode(jpeg);
    const finding = findCow(await this.#filter.run(frame));
    const { box, coat, score } = finding;
    if (box === null) return null;
    const name = coatOf(this.#models, finding);
    const identity = this.#models.identity.get(name);
    if (identity === undefined) {
      throw new FreshetError('INVALID_CONFIG', `no identity model is listed for the coat ${name}`);
    }
    const grown = growBox(box, identity.cropGrowth);
    const crop = await cropImage(frame, grown, identity.model);
    return {
      coat: name,
      score,
      coatProbability: coat?.probability ?? null,
      box,
      frame: { width: frame.width, height: frame.height },
      crop,
    };
  }

  async close(): Promise<void> {
    await this.#filter.close();
  }
}

/** @param asset gives the path of the file that the description names */
export async function openModel(config: DairyModels['filter'], asset: Asset): Promise<VisionModel> {
  return VisionModel.open({ ...config, file: asset(config.file) }, '/');
}
