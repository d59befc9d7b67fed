import tseslint from 'typescript-eslint';

/** Files that may be longer, or hold longer functions, than the rule. The list only shrinks. */
const longFiles = [];
const longFunctions = [];

/** Where real clocks, randomness and the environment come from. */
const compositionRoots = [
  'platform/base/{clock,random}.ts',
  'platform/*.ts',
  'platform/client/connect.ts',
  'platform/member/local-program.ts',
  'platform/lambda/worker-main.ts',
  'platform/cli/**/*.ts',
];

/** What neither the compiler nor typescript-eslint tells. */
const coreRules = Object.fromEntries(
  [
    'for-direction',
    'no-case-declarations',
    'no-compare-neg-zero',
    'no-cond-assign',
    'no-constant-binary-expression',
    'no-debugger',
    'no-dupe-else-if',
    'no-duplicate-case',
    'no-empty',
    'no-empty-character-class',
    'no-fallthrough',
    'no-invalid-regexp',
    'no-irregular-whitespace',
    'no-loss-of-precision',
    'no-misleading-character-class',
    'no-regex-spaces',
    'no-self-assign',
    'no-self-compare',
    'no-sparse-arrays',
    'no-unsafe-finally',
    'no-useless-backreference',
    'no-useless-catch',
    'no-useless-escape',
    'no-var',
    'prefer-const',
  ].map((name) => [name, 'error']),
);

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name; only lambdas, pipelines and tool configurations have a default.',
};
const erasable = [
  { selector: 'TSEnumDeclaration', message: 'Use a const object or a union.' },
  { selector: 'TSModuleDeclaration[kind!="global"]', message: 'Use a module.' },
  { selector: 'TSParameterProperty', message: 'Declare the field.' },
  { selector: 'Decorator', message: 'Call a function.' },
  {
    selector:
      ':matches(MethodDefinition[kind!="constructor"], PropertyDefinition)[accessibility="private"]',
    message: 'Use #private.',
  },
];
const moduleState = {
  selector: ':matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration[kind="let"]',
  message: 'No mutable module state: give it to what owns it.',
};

const ambient = (object, property, instead) => ({ object, property, message: `Take ${instead}.` });

export default tseslint.config(
  {
    ignores: [
      'node_modules/',
      'dist/',
      'build/',
      'prebuilds/',
      'coverage/',
      '.freshet/',
      '**/generated/',
      'platform/gateway/dashboard/',
    ],
  },
  { rules: coreRules },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: process.cwd() },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Numbers and booleans read well in a template; objects and null do not.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A method may have to be async for its interface alone.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // A type parameter used once names a shape at the call, as in `call<Answer>(…)`.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // A lambda without outputs has an `emit` without names.
      '@typescript-eslint/no-generated-empty-object-type': 'off',
      // There are no enums (below), and no classes of type any (no-unsafe-assignment).
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      'no-restricted-syntax': ['error', ...erasable, noDefaultExport, moduleState],
      'no-console': 'error',
      'max-lines': ['error', { max: 500 }],
      'max-lines-per-function': ['error', { max: 70 }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['platform/**/*.ts', 'udl/**/*.ts'],
    ignores: compositionRoots,
    rules: {
      'no-restricted-properties': [
        'error',
        ambient('Date', 'now', 'a Clock'),
        ambient('performance', 'now', 'a Clock'),
        ambient('Math', 'random', 'a Random'),
        ambient('process', 'env', 'a configuration'),
      ],
    },
  },
  {
    files: ['pipelines/**/*.ts', 'examples/**/*.ts', 'platform/gateway/dashboard/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...erasable, moduleState] },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // What a suite's hooks make, its tests use; each file is a process of its own.
      'no-restricted-syntax': ['error', ...erasable, noDefaultExport],
      // A describe block is as long as its tests are many.
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  {
    files: ['test/config/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...erasable, moduleState] },
  },
  {
    files: ['platform/cli/**/*.ts', 'test/{bench,accept,simulation}/**/*.ts', 'examples/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // Read by whatever Node there is, so that an old one can be told.
    files: ['platform/start.mjs', 'platform/start/**/*.mjs'],
    ignores: ['platform/start/transpile.mjs'],
    languageOptions: { ecmaVersion: 2019, sourceType: 'module' },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        Buffer: 'readonly',
        BigInt: 'readonly',
        setTimeout: 'readonly',
      },
    },
    rules: {
      'no-undef': 'error',
      'no-const-assign': 'error',
      'no-dupe-keys': 'error',
      'no-unreachable': 'error',
      'no-unused-vars': ['error', { caughtErrors: 'none' }],
      'max-lines': ['error', { max: 500 }],
      'max-lines-per-function': ['error', { max: 70 }],
    },
  },
  ...[
    { files: longFiles, rules: { 'max-lines': 'off' } },
    { files: longFunctions, rules: { 'max-lines-per-function': 'off' } },
  ].filter(({ files }) => files.length > 0),
);
