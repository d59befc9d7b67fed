/**
 * Which subgroups the next view may take away. Pools and this record lie in one catalog, and are
 * written on condition that it is as it was looked at: so of a pool that is made and the record
 * that closes its subgroup one comes first, and whoever comes second sees it.
 *
 * One record for all, of the newest view that anything was closed for; it is never removed.
 * Invariants
 *  1. Its number only grows, and while it does not, what is named stays so until the leader that
 *     closed it has given that up.
 *  2. No view takes a subgroup away but one of this number, or an earlier one.
 */
import { FreshetError, isFreshetError } from '../base/mod.ts';
import type { Closing } from '../group/mod.ts';
import { type Catalog, catalogFolders } from './catalog.ts';
import type { PoolDirectory } from './pool-directory.ts';
import { storeLimits } from './store-limits.ts';

const nothing: Closing = { view: 0, subgroups: [] };

/**
 * Null: a member that has installed the view `view` may make a pool in a subgroup, named by its
 * first shard. The record's view or a later one has decided: the subgroup is gone from the layout,
 * or it stays. Whoever is behind by more than one view may have missed what others took away, and
 * without a view (0) a member goes by a layout that may never count. Else NOT_CURRENT.
 */
export function closedRefusal(closing: Closing, view: number, first: number): FreshetError | null {
  const named = closing.subgroups.find((subgroup) => subgroup.first === first);
  const isNext = view === closing.view - 1;
  if (view > 0 && (view >= closing.view || (isNext && named === undefined))) return null;
  const text =
    named === undefined || !isNext
      ? 'This member does not know at the moment which subgroups there are'
      : `The subgroup ${named.name} is being taken away, and takes no new pool`;
  return new FreshetError('NOT_CURRENT', text, {
    mend: 'Try again in a moment, or at another member',
    details: { view, closing: closing.view },
  });
}

export class ClosedSubgroups {
  readonly #catalog: Catalog;
  readonly #directory: PoolDirectory;

  constructor(catalog: Catalog, directory: PoolDirectory) {
    this.#catalog = catalog;
    this.#directory = directory;
  }

  /** As the catalog has it here. */
  get now(): Closing {
    const value = this.#catalog.peek(catalogFolders.closing);
    if (value === null) return nothing;
    return JSON.parse(Buffer.from(value).toString('utf8')) as Closing;
  }

  /**
   * False: a pool lives in one of them, or a later view has been written already. Rejects as a
   * change of the catalog does; it may have been made then.
   */
  async close(closing: Closing): Promise<boolean> {
    for (let attempt = 0; attempt < storeLimits.catalogTries; attempt++) {
      await this.#catalog.catchUp(storeLimits.tenantsWaitMs);
      const { now } = this;
      const isTaken = closing.subgroups.some(
        ({ name }) => this.#directory.namesIn(name).length > 0,
      );
      if (isTaken || now.view > closing.view) return false;
      if (await this.#tryWrite(together(closing, now))) return true;
    }
    throw new FreshetError('OVERLOADED', 'The catalog is changed by many at once');
  }

  async #tryWrite(closing: Closing): Promise<boolean> {
    const value = Buffer.from(JSON.stringify(closing), 'utf8');
    try {
      await this.#catalog.write(catalogFolders.closing, value, this.#catalog.applied.version);
      return true;
    } catch (caught) {
      if (isFreshetError(caught, 'CONDITION_FAILED')) return false;
      throw caught;
    }
  }
}

/** With what was closed for the same view before, unless that is given up. */
function together({ view, subgroups }: Closing, now: Closing): Closing {
  if (now.view !== view || subgroups.length === 0) return { view, subgroups };
  const others = now.subgroups.filter((old) => subgroups.every(({ first }) => first !== old.first));
  return { view, subgroups: [...others, ...subgroups] };
}
