/**
 * What this room needs of the replicated catalog. Keys: `/system/pipelines/<name>` (a
 * {@link DeployedPipeline} as JSON), `/system/lambdas/<sha256>` (a bundle),
 * `/system/assets/<sha256>`.
 */
export interface LambdaCatalog {
  get(key: string): Promise<Uint8Array | null>;
  put(key: string, value: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  list(prefix: string): Promise<readonly string[]>;
  /** Calls back after an entry was applied here. Returns how to end it. */
  onChange(handler: (key: string) => void): () => void;
}

export const catalogKeys = {
  pipelines: '/system/pipelines/',
  lambdas: '/system/lambdas/',
  assets: '/system/assets/',
} as const;

export const deadLetterPool = '/system/dead_letters';
