/** Raises an alarm for every reading below a bound; see pipeline.json beside it. */
import { defineLambda, json, Type } from '../../udl/mod.ts';

const Reading = Type.Object({ litres: Type.Number() });
const Alarm = Type.Object({ litres: Type.Number(), below: Type.Number() });

export default defineLambda({
  name: 'farm/low-yield',
  version: '1',
  input: json(Reading),
  emits: { alarms: Alarm },
  config: Type.Object({ min: Type.Number({ default: 10 }) }),
  run(events, ctx) {
    for (const event of events) {
      const { litres } = event.value;
      if (litres < ctx.config.min) event.emit.alarms(event.name, { litres, below: ctx.config.min });
    }
  },
});
