/**
 * A picture of a cow, under `<cow>/<any name>`, becomes a picture that she is known by: put one
 * again to replace it, remove what it left in the pool of enrolled cows to forget it.
 */
import { defineLambda, FreshetError, image, Type } from '../../../udl/mod.ts';
import { readDairyModels } from '../vision/mod.ts';
import { CowFinder } from './cow-finder.ts';
import { IdentityModels } from './identity-models.ts';
import { Enrolled } from './values.ts';

export default defineLambda({
  name: 'dairy/enrol',
  version: '1',
  input: image(),
  emits: { enrolled: Enrolled },
  config: Type.Object({ models: Type.String({ default: 'models.json' }) }),
  on: 'both',
  timeoutMs: 10_000,
  async setup(ctx) {
    const models = await readDairyModels(ctx.asset(ctx.config.models));
    const identity = await IdentityModels.open(models, ctx.asset);
    return { identity, finder: await CowFinder.open(ctx.config.models, ctx.asset) };
  },
  async run(events, ctx) {
    const { identity, finder } = ctx.state;
    for (const event of events) {
      if (event.kind === 'remove') continue;
      try {
        const [cow, picture] = event.name.split('/');
        if (cow === undefined || cow === '' || picture === undefined) {
          throw new FreshetError('INVALID_KEY', `${event.key} names no cow and picture`, {
            mend: 'Put the picture under <cow>/<picture>',
          });
        }
        const crop = await finder.find(event.bytes);
        if (crop === null) {
          throw new FreshetError('INVALID_VALUE', `no cow was found in the picture ${event.key}`, {
            mend: 'Enrol with a picture that shows the whole cow',
          });
        }
        const views = await identity.embedForEnrolment(crop);
        const embeddings = views.map((vector) => Array.from(vector));
        const model = identity.nameOf(crop);
        event.emit.enrolled(event.name, { cow, coat: crop.coat, model, embeddings });
      } catch (error) {
        event.fail(error);
      }
    }
  },
  async teardown({ identity, finder }) {
    await identity.close();
    await finder.close();
  },
});
