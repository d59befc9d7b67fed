/**
 * models.json: what the trained nets are, how a picture becomes their input, and above which
 * cosine a cow counts as known. A `model` entry has the form of the pipeline's model descriptions
 * (pipelines/dairy/vision), so that a node of the pipeline can name it as it stands.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CoatColour } from '../camera/mod.ts';
import type { Figures } from './evaluate.ts';
import { cropGrowth, cropSize, frameSize } from './pixels.ts';
import type { Size } from './pixels.ts';

export type NetName = 'filter' | CoatColour;

export const netNames = ['filter', 'white', 'black'] as const satisfies readonly NetName[];

/** A larger file does not belong in a repository. */
export const modelBytesMax = 2_000_000;

export const manifestFormat = 1;

export type NetEntry = {
  readonly model: {
    readonly name: string;
    readonly file: string;
    readonly input: InputEntry;
    readonly decoder: Readonly<Record<string, unknown>>;
  };
  readonly sha256: string;
  readonly bytes: number;
  readonly training: Readonly<Record<string, unknown>>;
};

/** (pixel * scale - mean) / std, after the picture was stretched to width and height. */
type InputEntry = {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly resize: 'stretch';
  readonly kernel: 'lanczos3';
  readonly layout: 'NCHW';
  readonly channels: 'RGB';
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly dtype: 'float32';
};

export type IdentityEntry = NetEntry & {
  /** The least cosine with an enrolled embedding at which a cow counts as that cow. */
  readonly threshold: number;
  /** How much the filter's box grows on each side before the crop, as a share of its size. */
  readonly cropGrowth: number;
};

export type Manifest = {
  readonly format: typeof manifestFormat;
  readonly filter: NetEntry;
  readonly identity: Readonly<Record<CoatColour, IdentityEntry>>;
  /** How the models came about: options of the run, seeds, versions of the tools. */
  readonly made: Readonly<Record<string, unknown>>;
  /** What evaluate.ts measured, for each test seed. */
  readonly figures: readonly Figures[];
};

export type NetBytes = Readonly<Record<NetName, Uint8Array>>;

/** The score above which the filter says that a cow is there. */
export const cowThreshold = 0.5;

function inputEntry(name: string, size: Size): InputEntry {
  return {
    name,
    ...size,
    resize: 'stretch',
    kernel: 'lanczos3',
    layout: 'NCHW',
    channels: 'RGB',
    scale: 1 / 255,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    dtype: 'float32',
  };
}

export function filterEntry(bytes: Uint8Array, training: NetEntry['training']): NetEntry {
  const decoder = {
    type: 'cow-box',
    boxOutput: 'scene',
    coatOutput: 'coat',
    coats: ['white', 'black'],
    coatValues: 'probabilities',
    cowThreshold,
  };
  return entry('dairy-filter', 'filter', inputEntry('frame', frameSize), decoder, bytes, training);
}

export function identityEntry(
  coat: CoatColour,
  bytes: Uint8Array,
  threshold: number,
  training: NetEntry['training'],
): IdentityEntry {
  const decoder = { type: 'embedding', output: 'embedding', pool: null, normalize: true };
  const net = entry(
    `dairy-identity-${coat}`,
    coat,
    inputEntry('crop', cropSize),
    decoder,
    bytes,
    training,
  );
  return { ...net, threshold, cropGrowth };
}

/** @throws when the file is missing, of another format, or lacks a field */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, 'models.json');
  const parsed: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!isManifest(parsed)) throw new Error(`${path} is no model list of format ${manifestFormat}`);
  return parsed;
}

/** @throws when a file is missing or is not the one that the manifest was written for */
export async function readNets(folder: string, manifest: Manifest): Promise<NetBytes> {
  const read = async ({ model, sha256 }: NetEntry): Promise<Uint8Array> => {
    const bytes = await readFile(join(folder, model.file));
    if (sha256Of(bytes) === sha256) return bytes;
    throw new Error(`${model.file} has another sha256 than models.json says: fetch or train again`);
  };
  const { filter, identity } = manifest;
  return {
    filter: await read(filter),
    white: await read(identity.white),
    black: await read(identity.black),
  };
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeFile(join(folder, 'models.json'), JSON.stringify(manifest, null, 2) + '\n');
}

export function fileNameOf(net: NetName): string {
  return net === 'filter' ? 'filter.onnx' : `identity-${net}.onnx`;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function entry(
  name: string,
  net: NetName,
  input: InputEntry,
  decoder: NetEntry['model']['decoder'],
  bytes: Uint8Array,
  training: NetEntry['training'],
): NetEntry {
  if (bytes.length >= modelBytesMax) {
    throw new Error(`${name} has ${bytes.length} bytes, ${modelBytesMax} are too many to commit`);
  }
  const model = { name, file: fileNameOf(net), input, decoder };
  return { model, sha256: sha256Of(bytes), bytes: bytes.length, training };
}

function isManifest(value: unknown): value is Manifest {
  if (!isRecord(value) || value['format'] !== manifestFormat) return false;
  const identity = value['identity'];
  return (
    isNet(value['filter']) &&
    isRecord(identity) &&
    [identity['white'], identity['black']].every(
      (net) => isNet(net) && typeof (net as unknown as IdentityEntry).threshold === 'number',
    )
  );
}

function isNet(value: unknown): value is NetEntry {
  return isRecord(value) && typeof value['sha256'] === 'string' && isRecord(value['model']);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
