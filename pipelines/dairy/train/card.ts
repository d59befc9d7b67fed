/** MODEL_CARD.md: what models.json holds, for people. */
import type { DifficultyFigures, Figures } from './evaluate.ts';
import type { Manifest, NetEntry } from './manifest.ts';

const rows: readonly (readonly [title: string, of: (figures: DifficultyFigures) => number])[] = [
  ['cow found', (f) => f.cowFound],
  ['empty frame refused', (f) => f.emptyRefused],
  ['mean overlap of the box (IoU)', (f) => f.meanIou],
  ['coat right', (f) => f.coatRight],
  ['nearest enrolled cow is the right one', (f) => f.topOne],
  ['right identity accepted', (f) => f.rightAccepted],
  ['unknown refused', (f) => f.unknownRefused],
  ['known cow taken for another', (f) => f.takenForAnother],
  ['pixel baseline: nearest is right', (f) => f.baseline.topOne],
  ['pixel baseline: right accepted', (f) => f.baseline.rightAccepted],
];

export function cardOf(manifest: Manifest): string {
  const { filter, identity, made, figures } = manifest;
  return [
    "# The dairy pipeline's models",
    '',
    'Three small nets, trained by `npm run train` on rendered cows alone. They serve the demo and',
    'its tests. **Their figures say nothing about real cows**: for photographs, name a detector',
    "and an embedding model of your own in the pipeline's configuration.",
    '',
    '## What they do',
    '- `filter.onnx` reads the whole frame: is a whole cow in it, where, and is its coat white or',
    '  black (the colour of more than half of trunk and neck).',
    '- `identity-white.onnx` and `identity-black.onnx` turn the crop of a cow of that coat into an',
    '  embedding of length 1. The nearest enrolled embedding by cosine names the cow; below the',
    '  threshold of its net the cow is unknown. Three ordinary pictures enrol a cow.',
    '',
    '| file | parameters | bytes | threshold | sha256 |',
    '|---|---|---|---|---|',
    line(filter, '-'),
    line(identity.white, `${identity.white.threshold}`),
    line(identity.black, `${identity.black.threshold}`),
    '',
    '## Input',
    "Decode to sRGB; resize without keeping proportions (sharp, `fit: 'fill'`, lanczos3) to",
    `${sizeOf(filter)} (filter) or ${sizeOf(identity.white)} (identity); RGB planes (NCHW),`,
    'float32, each byte over 255. Light and contrast are standardised inside the nets.',
    `An identity net reads the filter's box, grown by ${identity.white.cropGrowth} of its size on`,
    'each side and cut at the frame. `models.json` says the same for programs.',
    '',
    '## Figures',
    'From JPEG bytes, with the predicted box, on cows of seed ranges that neither training nor the',
    'choice of the thresholds draws from. The baseline compares 24 x 18 grey pixels, with the true',
    'box and a threshold picked on the test itself so that 5 % of the strangers pass.',
    '',
    ...figures.flatMap(table),
    '## How they were made',
    'The options of the run (all seeds included), the data set and the versions of the tools:',
    '',
    '```json',
    JSON.stringify(
      { ...made, training: [filter, identity.white, identity.black].map((net) => net.training) },
      null,
      2,
    ),
    '```',
    '',
    'The validation cows choose, for each coat, the threshold that strains the allowances least',
    '(10 % of strangers accepted, 7 % of ordinary and 15 % of hard frames missed).',
    '',
    '## Limits',
    '- One drawing style: side view, facing right, one whole cow at 40 to 90 % of the width.',
    '- A cow that faces left is another cow to the identity nets.',
    '- A cow of which only an end shows counts as no cow.',
    '- Cows with 45 to 55 % black do not exist here; real ones do.',
    '',
  ].join('\n');
}

function sizeOf({ model }: NetEntry): string {
  return `${model.input.width} x ${model.input.height}`;
}

function line({ model, sha256, bytes, training }: NetEntry, threshold: string): string {
  const told = training['parameters'];
  const parameters = typeof told === 'number' ? told : '-';
  return `| ${model.file} | ${parameters} | ${bytes} | ${threshold} | \`${sha256}\` |`;
}

function table({ testSeed, unknownSeed, cows, ordinary, hard }: Figures): string[] {
  const percent = (share: number): string => share.toFixed(3);
  return [
    `Test seed ${testSeed}, unknown seed ${unknownSeed}: ${cows} cows enrolled, ${cows} not.`,
    '',
    '| | ordinary | hard |',
    '|---|---|---|',
    ...rows.map(([title, of]) => `| ${title} | ${percent(of(ordinary))} | ${percent(of(hard))} |`),
    '',
  ];
}
