export interface BareVisionOrder {
  /** Folder of models.json and the nets. */
  readonly models: string;
  readonly jpegs: readonly Uint8Array[];
  /** Pictures that are the gallery. */
  readonly enrolled: readonly Uint8Array[];
  readonly durationMs: number;
}
