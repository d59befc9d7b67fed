import {
  acks,
  type EpochOptions,
  headColumns,
  headWidth,
  loadAddon,
  type MemberHandle,
  type MemberOptions,
  type NativeAddon,
  readFloors,
  readPoints,
  recordKinds,
  rowKinds,
  rowWidth,
  type ScanOptions,
  type ShardRules,
} from '../../platform/bridge/mod.ts';

export type Row = readonly number[];

export interface Answer {
  readonly status: string;
  readonly epoch: number;
  readonly version: number;
  readonly time: number;
  readonly previousVersionOfKey: number;
}

export const poolId = 5;
const rowsPerDrain = 256;

export function memberOptions(change: Partial<MemberOptions> = {}): MemberOptions {
  return {
    clusterId: new Uint8Array(16).fill(1),
    secret: new Uint8Array(32).fill(2),
    nodeId: 1,
    listenHost: '127.0.0.1',
    listenPort: 0,
    transport: 0,
    dataFolder: null,
    door: null,
    spinMicros: 0,
    heartbeatMs: 50,
    silenceMs: 5000,
    ...change,
  };
}

/** The raw addon with promises in the place of tokens: nothing of the platform is between. */
export class NativeMember {
  readonly addon: NativeAddon;
  readonly handle: MemberHandle;
  readonly nodeId: number;
  readonly rows: Row[] = [];
  readonly messages: Buffer[] = [];
  readonly #waiting = new Map<number, (row: Row) => void>();
  readonly #buffer = new Float64Array(rowsPerDrain * rowWidth);
  #token = 0;

  constructor(change: Partial<MemberOptions> = {}) {
    const options = memberOptions(change);
    this.addon = loadAddon();
    this.nodeId = options.nodeId;
    this.handle = this.addon.openMember(options, () => {
      this.#drain();
    });
  }

  get port(): number {
    return this.addon.listenPort(this.handle);
  }

  close(): void {
    this.addon.closeMember(this.handle);
  }

  /** Runs a call that answers by a row; resolves with the row, or rejects with the status name. */
  call(start: (token: number) => number): Promise<Row> {
    return new Promise((resolve, reject) => {
      this.#token += 1;
      this.#waiting.set(this.#token, resolve);
      const status = start(this.#token);
      if (status < 0) {
        this.#waiting.delete(this.#token);
        reject(new Error(this.statusName(-status)));
      }
    });
  }

  statusName(code: number): string {
    return this.addon.statusNames[code] ?? String(code);
  }

  /** A call with a `result` row; gives its bytes. */
  async result(start: (token: number) => number): Promise<Buffer | null> {
    const row = await this.call(start);
    const status = this.statusName(row[2] ?? -1);
    if (status !== 'OK') {
      throw new Error(status);
    }
    return this.addon.takeResult(this.handle, row[1] ?? 0);
  }

  async openShard(shard: number, persistent: boolean): Promise<Record<string, unknown>> {
    const options = { shard, persistent, memoryMax: 256 * 1024 * 1024 };
    const bytes = await this.result((token) => this.addon.openShard(this.handle, options, token));
    return JSON.parse(String(bytes)) as Record<string, unknown>;
  }

  async prepareEpoch(shard: number, epoch: number, members: readonly number[]): Promise<void> {
    const options: EpochOptions = {
      shard,
      epoch,
      members,
      senders: members.map((_, rank) => rank),
      ringSize: 1024 * 1024,
      dispatchLagMax: Infinity,
    };
    await this.result((token) => this.addon.prepareEpoch(this.handle, options, token));
  }

  async startEpoch(shard: number, epoch: number): Promise<void> {
    await this.result((token) => this.addon.startEpoch(this.handle, shard, epoch, token));
  }

  async submit(
    shard: number,
    key: string,
    value: Uint8Array | null,
    ack: number = acks.delivered,
    kind: number = recordKinds.put,
    extra: Float64Array | null = null,
  ): Promise<Answer> {
    const pool = kind === recordKinds.control ? 0 : poolId;
    const flags = kind | (ack << 4);
    const row = await this.call((token) =>
      this.addon.submit(this.handle, shard, flags, pool, token, key, value, null, extra),
    );
    const [, , status, epoch, version, time, previous] = row;
    return {
      status: this.statusName(status ?? -1),
      epoch: epoch ?? 0,
      version: version ?? 0,
      time: time ?? 0,
      previousVersionOfKey: previous ?? 0,
    };
  }

  /** Makes the pool known to the shard: rules travel as a control record (store.h, PoolRules). */
  async makePool(shard: number): Promise<void> {
    const rules = Buffer.alloc(24);
    rules.writeUInt32LE(poolId, 0);
    rules.writeBigUInt64LE(64n << 20n, 8);
    const key = `pool/${String(poolId)}`;
    await this.submit(shard, key, rules, acks.delivered, recordKinds.control);
  }

  get(shard: number, key: string, version: number | null = null): Buffer | string {
    const head = new Float64Array(headWidth);
    const point = version === null ? readPoints.newest : readPoints.atVersion;
    const at = version ?? 0;
    const floor = readFloors.local;
    const value = this.addon.get(this.handle, shard, key, point, at, floor, true, head);
    return value ?? this.statusName(head[headColumns.status] ?? -1);
  }

  scan(change: Partial<ScanOptions> & { readonly shard: number }): Promise<Buffer> {
    const options: ScanOptions = {
      kind: 'versions',
      prefix: '',
      fromVersion: 0,
      toVersion: Infinity,
      floor: readFloors.local,
      fromTime: -Infinity,
      toTime: Infinity,
      reverse: false,
      limit: Infinity,
      wantValues: true,
      wantRemoved: false,
      program: null,
      batchBytes: 1024 * 1024,
      resume: null,
      ...change,
    };
    return this.result((token) => this.addon.scan(this.handle, options, token)).then((bytes) => {
      if (bytes === null) {
        throw new Error('A scan has a result');
      }
      return bytes;
    });
  }

  /** Resolves with the first row, past or to come, that fits. */
  async rowOf(fits: (row: Row) => boolean): Promise<Row> {
    for (;;) {
      const row = this.rows.find(fits);
      if (row !== undefined) {
        return row;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #drain(): void {
    let count = rowsPerDrain;
    while (count === rowsPerDrain) {
      count = this.addon.drain(this.handle, this.#buffer);
      for (let nth = 0; nth < count; nth += 1) {
        this.#take([...this.#buffer.subarray(nth * rowWidth, (nth + 1) * rowWidth)]);
      }
    }
  }

  #take(row: Row): void {
    const [kind = 0, token = 0] = row;
    const waiter =
      kind === rowKinds.completion || kind === rowKinds.result ? this.#waiting.get(token) : null;
    if (waiter) {
      this.#waiting.delete(token);
      waiter(row);
      return;
    }
    if (kind === rowKinds.message) {
      const bytes = this.addon.takeMessage(this.handle);
      this.messages.push(bytes ?? Buffer.from('missing'));
    }
    this.rows.push(row);
  }
}

/** Three members that know each other, all up. */
export function openThree(
  change: (nodeId: number) => Partial<MemberOptions> = () => ({}),
): Promise<readonly NativeMember[]> {
  return openMembers(3, change);
}

/** So many, with node ids from 1. */
export async function openMembers(
  count: number,
  change: (nodeId: number) => Partial<MemberOptions> = () => ({}),
): Promise<readonly NativeMember[]> {
  const nodes = Array.from({ length: count }, (_, nth) => nth + 1);
  const members = nodes.map((nodeId) => new NativeMember({ nodeId, ...change(nodeId) }));
  for (const member of members) {
    for (const peer of members.filter((other) => other !== member)) {
      member.addon.addPeer(member.handle, peer.nodeId, '127.0.0.1', peer.port);
    }
  }
  for (const member of members) {
    for (const peer of members.filter((other) => other !== member)) {
      await member.rowOf(([kind, node, up]) => {
        return kind === rowKinds.peer && node === peer.nodeId && up === 1;
      });
    }
  }
  return members;
}

/** Opens the shard at all of them and starts its epoch. */
export async function startShard(
  members: readonly NativeMember[],
  shard: number,
  persistent = false,
  epoch = 1,
  blocks: Pick<ShardRules, 'multicast' | 'blockSize'> | null = null,
): Promise<void> {
  const ids = members.map((member) => member.nodeId);
  await Promise.all(members.map((member) => member.openShard(shard, persistent)));
  if (blocks !== null) {
    const rules = { shard, raw: false, ...blocks };
    await Promise.all(
      members.map((member) =>
        member.result((token) => member.addon.setShardRules(member.handle, rules, token)),
      ),
    );
  }
  await Promise.all(members.map((member) => member.prepareEpoch(shard, epoch, ids)));
  await Promise.all(members.map((member) => member.startEpoch(shard, epoch)));
}

export interface PackedRecord {
  readonly key: string;
  readonly value: string;
  readonly version: number;
  readonly valueSize: number;
}

/** Reads a packed result of getVersions, or of scan (`trailer`: with its last bytes). */
export function unpack(
  bytes: Buffer,
  trailer = false,
): { readonly records: readonly PackedRecord[]; readonly resume: Buffer | null } {
  let end = bytes.length;
  let resume: Buffer | null = null;
  if (trailer) {
    const size = bytes.readUInt32LE(bytes.length - 8);
    end -= 8 + size;
    resume = size === 0 ? null : bytes.subarray(end, end + size);
  }
  const records: PackedRecord[] = [];
  for (let at = 0; at < end;) {
    const length = bytes.readUInt32LE(at + 8);
    const keyStart = at + 64 + bytes.readUInt16LE(at + 16);
    const keyEnd = keyStart + bytes.readUInt16LE(at + 14);
    const valueStart = keyEnd + bytes.readUInt16LE(at + 18);
    records.push({
      key: bytes.toString('utf8', keyStart, keyEnd),
      value: bytes.toString('utf8', valueStart, at + length),
      version: Number(bytes.readBigUInt64LE(at + 40)),
      valueSize: Number(bytes.readBigUInt64LE(at + 32)),
    });
    at += Math.ceil(length / 64) * 64;
  }
  return { records, resume };
}
