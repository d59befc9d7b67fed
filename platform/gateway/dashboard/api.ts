/** What the page asks of its member's HTTP door. All times from there are µs since 1970. */

export interface Member {
  readonly nodeId: number;
  readonly host: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly up: boolean;
}

export interface View {
  readonly view: number;
  readonly me: number;
  readonly members: readonly Member[];
  readonly waitingFor: string | null;
}

export interface Shard {
  readonly shard: number;
  readonly subgroup: string;
  readonly epoch: number;
  readonly deliveredVersion: number;
  readonly persistedVersion: number;
  readonly stopped: string | null;
  readonly observedLagMs: number | null;
}

export interface Stage {
  readonly name: string;
  readonly prefix: string;
  readonly lambda: string;
  readonly edges: Readonly<Record<string, readonly { readonly to: string; readonly by: string }[]>>;
  readonly waiting: number;
  readonly inFlight: number;
  readonly arrived: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly startDelay: readonly number[];
  readonly delayBucketsMicros: readonly number[];
}

export interface Sample {
  readonly node: number;
  readonly view: number;
  /** ms since 1970, by the member's clock. */
  readonly at: number;
  readonly shards: readonly Shard[];
  readonly waits: readonly { readonly shard: number; readonly node: number }[];
  readonly stages: readonly Stage[];
}

export interface PoolInfo {
  readonly name: string;
  readonly kind: 'volatile' | 'persistent' | 'trigger';
  readonly history: number;
  readonly shards: readonly number[];
}

/** One version; JSON values as they are, others in base64. */
export interface Version {
  readonly key: string;
  readonly removed: boolean;
  readonly size: number;
  readonly version: number;
  readonly epoch: number;
  readonly time: number;
  readonly eventTime: number | null;
  readonly meta: Readonly<Record<string, string>>;
  readonly value?: unknown;
}

export interface Loaded {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly version: number;
  readonly time: number;
}

/** A refusal, in the member's own words. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export async function getJson<T>(path: string): Promise<T> {
  return (await (await ask(path)).json()) as T;
}

export async function getLines<T>(path: string): Promise<T[]> {
  const text = await (await ask(path)).text();
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const item = JSON.parse(line) as T & { readonly error?: { code: string; message: string } };
    if (typeof item === 'object' && item.error !== undefined) {
      throw new Refusal(item.error.code, item.error.message);
    }
    return item;
  });
}

/** null: there is no such object, or was none then. */
export async function getObject(key: string, query = ''): Promise<Loaded | null> {
  try {
    const response = await ask(`/v1/objects${encodeKey(key)}${query}`);
    const { headers } = response;
    const meta: Record<string, string> = {};
    headers.forEach((value, name) => {
      if (name.startsWith('freshet-meta-')) meta[name.slice('freshet-meta-'.length)] = value;
    });
    return {
      bytes: new Uint8Array(await response.arrayBuffer()),
      type: headers.get('content-type') ?? 'application/octet-stream',
      meta,
      version: Number(headers.get('freshet-version')),
      time: Number(headers.get('freshet-time')),
    };
  } catch (error) {
    if (error instanceof Refusal && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

/** Hands a picture to the first stage; the frame's name tells its results from others. */
export async function sendPicture(picture: Blob, frame: string): Promise<{ time: number }> {
  const response = await ask('/v1/triggers/dairy/front_end/mine', {
    method: 'POST',
    body: picture,
    headers: { 'content-type': picture.type, 'freshet-meta-frame': frame },
  });
  return (await response.json()) as { time: number };
}

/** Changes under a prefix until the returned function is called; resumes by itself. */
export function watch(prefix: string, onPut: (version: Version) => void): () => void {
  const source = new EventSource(`/v1/watch?prefix=${encodeURIComponent(prefix)}`);
  source.addEventListener('put', (event) => {
    onPut(JSON.parse(event.data as string) as Version);
  });
  return () => {
    source.close();
  };
}

export function encodeKey(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(path, { cache: 'no-store', ...init });
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as {
    error?: { code: string; message: string };
  } | null;
  const { code = 'INTERNAL', message = response.statusText } = body?.error ?? {};
  throw new Refusal(code, message);
}
