/**
 * The rooms of the house and the arrows between them. A room may import what its row names and,
 * unless it is `strict`, whatever those may import in turn. Nobody but test/ itself imports test/,
 * nobody at all imports examples/. This table is the rule; sources that differ from it are wrong.
 */
export interface Room {
  /** Folder relative to the repository, or `folder/*.ts` for the files in it and not below it. */
  readonly path: string;
  readonly imports: readonly string[];
  /** Only what the row names: these see the public surface alone. */
  readonly strict?: true;
}

export const rooms: readonly Room[] = [
  { path: 'platform/base', imports: [] },
  { path: 'platform/bridge', imports: ['platform/base'] },
  { path: 'platform/wire', imports: [] },
  { path: 'platform/expression', imports: ['platform/base'] },
  { path: 'platform/group', imports: ['platform/bridge'] },
  // Group owns the member's core and the messages between members; store sits on both.
  { path: 'platform/store', imports: ['platform/group'] },
  // Copies and channels of members: a log of the store's, and messages between members.
  { path: 'platform/replicated', imports: ['platform/store'] },
  // Plans are plain and the shards that answer them are handed in, so clients build queries too.
  { path: 'platform/query', imports: ['platform/expression'] },
  {
    path: 'platform/client',
    imports: ['platform/query', 'platform/bridge', 'platform/wire'],
  },
  { path: 'platform/lambda', imports: ['platform/store', 'platform/query', 'udl'] },
  {
    path: 'platform/gateway',
    imports: ['platform/group', 'platform/query', 'platform/lambda', 'platform/client'],
  },
  // The composition root and its parts: the files that lie in platform/ itself.
  { path: 'platform/*.ts', imports: ['platform/gateway'] },
  // What a program that is itself a member imports.
  {
    path: 'platform/member',
    imports: ['platform/*.ts', 'platform/replicated', 'platform/client'],
  },
  { path: 'platform/cli', imports: ['platform/client', 'platform/*.ts'] },
  { path: 'udl', imports: ['platform/client', 'platform/expression'], strict: true },
  { path: 'pipelines', imports: ['udl', 'platform/client'], strict: true },
  { path: 'examples', imports: ['udl', 'platform/client', 'platform/member'], strict: true },
];

/** The only file of a room, or of a folder in it that has one of its own, that others import. */
export const publicFile = 'mod.ts';

/** Packages that one room alone may import. */
export const ownedPackages: Readonly<Record<string, string>> = {
  'node-gyp-build': 'platform/bridge',
};

/** The rooms that a room may import, itself not among them. */
export function reachableRooms(path: string): ReadonlySet<string> {
  const room = rooms.find((candidate) => candidate.path === path);
  if (room === undefined) {
    throw new Error(`There is no room ${path}`);
  }
  if (room.strict === true) {
    return new Set(room.imports);
  }
  return new Set(room.imports.flatMap((next) => [next, ...reachableRooms(next)]));
}

/** The room that a file lies in, or null. */
export function roomOf(file: string): Room | null {
  return rooms.find(({ path }) => new RegExp(roomPattern(path)).test(file)) ?? null;
}

/** A regular expression for the files of a room. */
export function roomPattern(path: string): string {
  return path.endsWith('/*.ts') ? `^${path.slice(0, -'*.ts'.length)}[^/]+\\.ts$` : `^${path}/`;
}
