import { join } from 'node:path';
import { FreshetError } from '../../../platform/client/mod.ts';
import { type DeadLetter, deadLetterPool } from '../../../platform/lambda/mod.ts';
import { DairyRig } from '../../bench/dairy/dairy-rig.ts';
import { plannedFrames, rendered } from '../../bench/dairy/frames.ts';
import { type Check, holds, type Line } from '../check.ts';

const waitMs = 30_000;

/** Broken frames among whole ones: each a dead letter that names it, the members go on. */
export const dairyBrokenFrame: Check = {
  point: 'bad input',
  name: 'broken-frames',
  run: async ({ folder, dairy, seed }) => {
    const [frame] = plannedFrames({ seed, cows: 1, framesPerCow: 1, emptyFrames: 0 });
    if (frame === undefined) throw new FreshetError('INTERNAL', 'no frame was planned');
    const { jpeg } = await rendered(frame);
    const rig = await DairyRig.open(folder, join(dairy, 'pipeline.json'));
    try {
      const huge = Buffer.from(jpeg);
      setDimensions(huge, 65_000, 65_000);
      const broken = new Map<string, Uint8Array>([
        ['truncated', jpeg.subarray(0, jpeg.length / 3)],
        ['garbage', Buffer.alloc(2000, 0x5a)],
        ['empty', Buffer.alloc(0)],
        ['huge', huge],
      ]);
      for (const [name, bytes] of broken) await rig.send(`bad/${name}`, bytes);
      await rig.send('good/frame', jpeg);
      await rig.settle();
      const letters = await readLetters(rig, broken.size);
      const lines = [...broken.keys()].map((name): Line => {
        const letter = letters.find(({ input }) => input.key === `/dairy/front_end/bad/${name}`);
        const measured = letter === undefined ? 'no dead letter' : JSON.stringify(letter.error);
        const isCoded = letter?.error.code === 'IMAGE_INVALID';
        return holds(`${name} JPEG`, 'dead letter IMAGE_INVALID', isCoded, measured.slice(0, 160));
      });
      const seen = rig.sightings.has('good/frame');
      const up = (await rig.cluster.db.members()).members.filter((member) => member.up).length;
      lines.push(
        holds(
          'a whole frame after them',
          'seen, 3 members up',
          seen && up === 3,
          [seen ? 'seen' : 'not seen', `${String(up)} up`].join(', '),
        ),
      );
      return lines;
    } finally {
      await rig.close();
    }
  },
};

async function readLetters(rig: DairyRig, count: number): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = [];
  const signal = AbortSignal.timeout(waitMs);
  const pool = rig.cluster.db.pool<DeadLetter>(deadLetterPool);
  try {
    for await (const event of pool.watch({ prefix: 'dairy/', from: 'start', signal })) {
      if (event.kind !== 'put') continue;
      letters.push(event.object.value);
      if (letters.length === count) break;
    }
  } catch (error) {
    // What came in time is judged.
    if (!signal.aborted) throw error;
  }
  return letters;
}

/** Writes other dimensions into the frame header of a JPEG (its first SOF segment). */
function setDimensions(jpeg: Buffer, width: number, height: number): void {
  for (let at = 2; at + 9 < jpeg.length; at += 2 + jpeg.readUInt16BE(at + 2)) {
    const marker = jpeg.readUInt16BE(at);
    if (marker < 0xffc0 || marker > 0xffc2) continue;
    jpeg.writeUInt16BE(height, at + 5);
    jpeg.writeUInt16BE(width, at + 7);
    return;
  }
  throw new FreshetError('INTERNAL', 'the JPEG has no frame header');
}
