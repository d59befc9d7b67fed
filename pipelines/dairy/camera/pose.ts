import type { Random } from './random.ts';

/** How far a frame strays: `ordinary` is the fixed camera on a fair day, `hard` a bad one. */
export type Difficulty = 'ordinary' | 'hard';

/** How a cow stands in one frame; angles in degrees. */
export type Pose = {
  /** Pixels to a unit of the figure, at a frame 640 pixels wide. */
  readonly scale: number;
  /** How much the length shrinks because the cow stands askew. */
  readonly foreshortening: number;
  readonly turnDegrees: number;
  readonly shear: number;
  readonly legDegrees: readonly [number, number, number, number];
  readonly neckDegrees: number;
  readonly headDegrees: number;
  /** 0 lean to 1 full. */
  readonly belly: number;
  readonly tailSwing: number;
  /** Where in the room that is left over the figure stands: 0..1, left to right and far to near. */
  readonly acrossShare: number;
  readonly nearShare: number;
};

export function poseOf(random: Random, difficulty: Difficulty): Pose {
  const isHard = difficulty === 'hard';
  const swing = isHard ? 20 : 13;
  const leg = (): number => random.between(-swing, swing);
  return {
    scale: isHard ? random.between(0.95, 1.75) : random.between(1.18, 1.62),
    foreshortening: isHard ? random.between(0.78, 1.04) : random.between(0.88, 1),
    turnDegrees: isHard ? random.between(-7, 7) : random.between(-4, 4),
    shear: isHard ? random.between(-0.12, 0.12) : random.between(-0.06, 0.06),
    legDegrees: [leg(), leg(), leg(), leg()],
    neckDegrees: isHard ? random.between(-14, 26) : random.between(-8, 14),
    headDegrees: isHard ? random.between(-26, 40) : random.between(-16, 24),
    belly: random.between(0, 1),
    tailSwing: random.between(-1, 1),
    acrossShare: random.between(0, 1),
    nearShare: random.between(0, 1),
  };
}
