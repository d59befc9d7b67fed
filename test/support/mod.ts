export { freePort, makeTempFolder, tempFolder, type TemporaryFolder } from './places.ts';
export { type Ending, Program, type ProgramOptions, runProgram, spawnProgram } from './programs.ts';
export {
  listRepositoryFiles,
  programArgs,
  programFile,
  readRepositoryFile,
  repositoryRoot,
} from './repository.ts';
export {
  findTool,
  requireThat,
  requireTool,
  type Skippable,
  testData,
  type ToolName,
} from './requirements.ts';
export { uncaughtIn } from './uncaught.ts';
export { until } from './until.ts';
