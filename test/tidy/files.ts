import { listRepositoryFiles, readRepositoryFile } from '../support/mod.ts';

/** One of the repository's text files that people write. */
export interface SourceFile {
  readonly path: string;
  readonly lines: readonly string[];
}

const written = /\.(ts|mjs|svelte|h|cc|txt|cmake|py|sh)$|^\.ci\/|CMakeLists\.txt$/;
const generated = /(^|\/)generated\//;

/** Sources in any language, without what is generated. */
export function listSources(): readonly SourceFile[] {
  return listRepositoryFiles()
    .filter((path) => written.test(path) && !generated.test(path))
    .map((path) => ({ path, lines: readRepositoryFile(path).split('\n') }));
}

/** `path:line: text` of every line that matches. */
export function findLines(
  files: readonly SourceFile[],
  matches: (line: string, path: string) => boolean,
): readonly string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) =>
      matches(line, path) ? [`${path}:${i + 1}: ${line.trim().slice(0, 120)}`] : [],
    ),
  );
}
