/**
 * Which of the enrolled cows is it, or is she unknown? By the model for her coat and the nearest
 * picture in the pool of enrolled cows.
 */
import { defineLambda, msgpack, Type } from '../../../udl/mod.ts';
import { readDairyModels } from '../vision/mod.ts';
import { HerdGalleries } from './herd-gallery.ts';
import { IdentityModels } from './identity-models.ts';
import { frameMeta, Sighting } from './values.ts';
import type { CowCrop } from './values.ts';

export default defineLambda({
  name: 'dairy/identify',
  version: '1',
  input: msgpack<CowCrop>(),
  emits: { storage: Sighting },
  config: Type.Object({
    models: Type.String({ default: 'models.json' }),
    /** The pool of enrolled cows. */
    enrolled: Type.String({ default: '/dairy/enrolled' }),
  }),
  order: 'none',
  async setup(ctx) {
    const models = await readDairyModels(ctx.asset(ctx.config.models));
    const identity = await IdentityModels.open(models, ctx.asset);
    return { identity, herd: new HerdGalleries(ctx.db, ctx.config.enrolled, models) };
  },
  async run(events, ctx) {
    const { identity, herd } = ctx.state;
    await herd.refresh();
    for (const event of events) {
      if (event.kind === 'remove') continue;
      try {
        const { coat, score, box, frame } = event.value;
        const embedding = await identity.embed(event.value);
        const match = herd.of(coat)?.identify(embedding) ?? null;
        const cow = match?.isKnown === true ? match.name : null;
        const sighting = {
          cow,
          coat,
          similarity: match?.similarity ?? -1,
          nearest: match?.name ?? null,
          score,
          box,
          frame,
        };
        const meta = frameMeta(event.meta);
        event.emit.storage(`${cow ?? 'unknown'}/${event.name}`, sighting, { meta });
      } catch (error) {
        event.fail(error);
      }
    }
  },
  teardown: async ({ identity }) => identity.close(),
});
