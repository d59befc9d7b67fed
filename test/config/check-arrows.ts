// Runs dependency-cruiser over the folders given as arguments with the rules that follow from the
// table of rooms. Usage: node --import tsx test/config/check-arrows.ts <folder> …
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { ownedPackages, publicFile, reachableRooms, roomPattern, rooms } from './rooms.ts';

const top = '^(platform|udl|native|pipelines|examples|test)/';

const result = await cruise(
  process.argv.slice(2),
  {
    validate: true,
    ruleSet: { forbidden: rules() },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|build|platform/gateway/dashboard|platform/start)' },
    tsPreCompilationDeps: true,
  },
  {
    extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.node'],
    conditionNames: ['import', 'node', 'default', 'types'],
    exportsFields: ['exports'],
  },
);
process.exitCode = report(result.output);

function report(output: ICruiseResult | string): number {
  if (typeof output === 'string' || output.summary.totalCruised === 0) {
    // It has reported success over nothing before, with a compiler that it did not know.
    process.stdout.write('dependency-cruiser saw no modules\n');
    return 1;
  }
  const { violations, totalCruised, totalDependenciesCruised } = output.summary;
  for (const { rule, from, to } of violations) {
    process.stdout.write(`${rule.name}: ${from} -> ${to}\n`);
  }
  const seen = `${String(totalCruised)} modules, ${String(totalDependenciesCruised ?? 0)} imports`;
  process.stdout.write(`${seen}, ${String(violations.length)} violations\n`);
  return violations.length === 0 ? 0 : 1;
}

function rules(): IForbiddenRuleType[] {
  return [...rooms.map(({ path }) => arrowRule(path)), ...surfaceRules(), ...generalRules()];
}

/** From one room only to itself and the rooms below it. */
function arrowRule(path: string): IForbiddenRuleType {
  const allowed = [path, ...reachableRooms(path)].map(roomPattern);
  return {
    name: `arrow-from-${path}`,
    severity: 'error',
    from: { path: roomPattern(path) },
    to: { path: top, pathNot: allowed },
  };
}

/** Into a room only through its public file; unit tests mirror the source and look inside. */
function surfaceRules(): IForbiddenRuleType[] {
  const surface = `/${publicFile.replace('.', '\\.')}$`;
  return [
    {
      name: 'not-behind-mod',
      severity: 'error',
      from: { path: '^platform/([^/]+)/' },
      to: { path: '^platform/[^/]+/', pathNot: ['^platform/$1/', surface] },
    },
    {
      name: 'not-behind-mod',
      severity: 'error',
      from: { path: '^(udl|pipelines|examples|platform/[^/]+\\.ts)' },
      to: { path: '^platform/[^/]+/', pathNot: surface },
    },
    {
      name: 'not-behind-mod',
      severity: 'error',
      from: { pathNot: '^(udl|test)/' },
      to: { path: '^udl/', pathNot: surface },
    },
  ];
}

function generalRules(): IForbiddenRuleType[] {
  const owned = Object.entries(ownedPackages).map(([name, owner]): IForbiddenRuleType => ({
    name: `only-${owner}-imports-${name}`,
    severity: 'error',
    from: { pathNot: roomPattern(owner) },
    to: { path: `^node_modules/${name}/` },
  }));
  return [
    ...owned,
    {
      name: 'nobody-imports-test',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'nobody-imports-examples',
      severity: 'error',
      from: { pathNot: '^examples/' },
      to: { path: '^examples/' },
    },
    {
      name: 'no-circle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-development-package-at-run-time',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ];
}
