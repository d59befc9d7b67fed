/** Lines that tests of the repository decide: those very tests are run, by name. */
import type { Check } from '../check.ts';
import { testsCheck } from '../tests-line.ts';

const restart = 'test/integration/restart.test.ts';
const repair = 'test/integration/log-repair.test.ts';
const pools = 'test/integration/pools.test.ts';
const cluster = 'test/integration/cluster.test.ts';
const lambdas = 'test/integration/lambdas.test.ts';
const photographs = 'test/integration/dairy-vision-photographs.test.ts';
const http = 'test/integration/http-objects.test.ts';
const start = 'test/unit/start/start.test.ts';
const toolchain = 'test/unit/start/toolchain.test.ts';
const vision = 'test/unit/dairy/vision/vision-model.test.ts';
const image = 'test/unit/dairy/vision/decode-image.test.ts';
const plan = 'test/unit/client/import/plan-import.test.ts';
const key = 'test/unit/base/key.test.ts';
const page = 'test/browser/dashboard.test.ts';

export const decidedByTests: readonly Check[] = [
  testsCheck('1 commands', 'tests-start', [
    { name: 'old Node, npm, locks, folders, signals', file: start, tests: null },
    { name: 'a missing compiler or cmake', file: toolchain, tests: null },
  ]),
  testsCheck('2 core', 'tests-core', [
    { name: 'kill -9 of one member, and healing', file: restart, tests: /kill -9/ },
    { name: 'a bit flipped in a log: mended, or LOG_CORRUPT by place', file: repair, tests: null },
    { name: 'a retry under a session is applied once', file: restart, tests: /retry under/ },
    { name: 'a wiped disk is filled by the others', file: restart, tests: /wiped/ },
    { name: 'values to 64 MiB', file: pools, tests: /largest value/ },
    { name: 'native programs', file: 'test/native/programs.test.ts', tests: null },
  ]),
  testsCheck('3 pools', 'tests-pools', [
    { name: 'objects: put, get, history, remove, conditions', file: cluster, tests: /objects of/ },
    { name: 'watch with resume', file: cluster, tests: /watching/ },
    { name: 'trigger puts to one, all, named members', file: cluster, tests: /trigger puts/ },
    { name: 'pools, shards at any member, catalog', file: pools, tests: /pool|any member|shards/ },
  ]),
  testsCheck('4 lambdas', 'tests-lambdas', [
    { name: 'prefix, order, dispatch, triggers, emits', file: lambdas, tests: /a deployed lambda/ },
  ]),
  testsCheck('5 query', 'tests-query', [
    {
      name: 'operators, as of a time, refusals',
      file: 'test/unit/query/query.test.ts',
      tests: null,
    },
    {
      name: 'random plans against a plain one',
      file: 'test/unit/query/random-plan.test.ts',
      tests: null,
    },
  ]),
  testsCheck('6 dairy', 'tests-dairy', [
    { name: 'shared photographs by configuration alone', file: photographs, tests: null },
    { name: 'EXIF, CMYK, truncated, huge pictures', file: image, tests: null },
    { name: 'import of real records', file: plan, tests: null },
    {
      name: 'model sizes and the model card',
      file: 'test/unit/dairy/train/models.test.ts',
      tests: /small enough|recorded/,
    },
  ]),
  testsCheck('7 doors', 'tests-doors', [
    { name: 'HTTP objects, tags, ranges, meta', file: http, tests: /objects/ },
    { name: 'dashboard in a browser: members, objects, frames', file: page, tests: null },
  ]),
  testsCheck('bad input', 'tests-bad-input', [
    { name: 'keys, by text and by bytes', file: key, tests: null },
    { name: 'coded refusals of a member', file: pools, tests: /bad input/ },
    { name: 'the limit of a value, and one more', file: pools, tests: /exactly the limit/ },
    { name: 'failed conditions', file: cluster, tests: /under conditions/ },
    { name: 'bad HTTP requests', file: http, tests: /bad input/ },
    { name: 'lambda: throws in run', file: lambdas, tests: /in run/ },
    { name: 'lambda: throws at import', file: lambdas, tests: /at import/ },
    { name: 'lambda: hangs', file: lambdas, tests: /by hanging/ },
    { name: 'lambda: leaks', file: lambdas, tests: /by leaking/ },
    { name: 'lambda: floods its queue', file: lambdas, tests: /flooded/ },
    { name: 'lambda: process.exit', file: lambdas, tests: /process\.exit/ },
    { name: 'lambda: undeclared edge', file: lambdas, tests: /declares nothing/ },
    { name: 'pipeline with a typo', file: lambdas, tests: /not possible/ },
    {
      name: 'a model that is no ONNX, or of another shape',
      file: vision,
      tests: /no ONNX|refused|does not fit/,
    },
    { name: 'disk full', file: 'test/integration/pools-disk-full.test.ts', tests: null },
  ]),
];
