/**
 * Is there a cow in the frame, where, and of which coat? Frames with one go on as the crop that
 * the identity model wants; of frames without one a note is kept. A broken picture is a dead
 * letter.
 */
import { defineLambda, image, msgpack, Type } from '../../../udl/mod.ts';
import { CowFinder } from './cow-finder.ts';
import { frameMeta, Refusal } from './values.ts';
import type { CowCrop } from './values.ts';

export default defineLambda({
  name: 'dairy/filter',
  version: '1',
  input: image(),
  // `frame` repeats the picture of a found cow with her box in its meta, for those who look on.
  emits: { compute: msgpack<CowCrop>(), frame: image(), refused: Refusal },
  config: Type.Object({
    /** The asset that lists the models, in the form of models.json. */
    models: Type.String({ default: 'models.json' }),
  }),
  on: 'both',
  order: 'none',
  setup: async (ctx) => CowFinder.open(ctx.config.models, ctx.asset),
  async run(events, ctx) {
    for (const event of events) {
      if (event.kind === 'remove') continue;
      try {
        const crop = await ctx.state.find(event.bytes);
        const meta = frameMeta(event.meta);
        if (crop === null) {
          event.emit.refused(event.name, { reason: 'no cow' }, { meta });
          continue;
        }
        event.emit.compute(event.name, crop, { meta });
        event.emit.frame(event.name, event.bytes, {
          meta: { ...meta, box: JSON.stringify(crop.box), coat: crop.coat },
        });
      } catch (error) {
        event.fail(error);
      }
    }
  },
  teardown: async (finder) => finder.close(),
});
