/**
 * Which classes of a detector are wanted, by number or by name, and how they are called.
 */
import { visionError } from './errors.ts';
import type { NanodetConfig, YoloxConfig } from './model-config.ts';
import { nearestName } from './parse-config.ts';

export class DetectorClasses {
  readonly #names: readonly string[];
  readonly #wanted: readonly number[] | null;

  /** @throws INVALID_CONFIG for a name that is not in the list of names */
  constructor(config: YoloxConfig | NanodetConfig) {
    this.#names = config.classNames;
    this.#wanted =
      config.classes.length === 0
        ? null
        : config.classes.map((wanted) => classIndexOf(wanted, config.classNames));
  }

  /**
   * The wanted numbers of a model with `count` classes.
   *
   * @throws INVALID_CONFIG when the model has fewer
   */
  indexes(count: number): readonly number[] {
    if (this.#wanted === null) return Array.from({ length: count }, (_, i) => i);
    const beyond = this.#wanted.find((index) => index >= count);
    if (beyond === undefined) return this.#wanted;
    throw visionError('INVALID_CONFIG', {
      message: `class ${beyond} is wanted of a model with ${count} classes`,
      mend: `Use a class from 0 to ${count - 1} in decoder.classes`,
    });
  }

  label(index: number): string {
    return this.#names[index] ?? String(index);
  }
}

function classIndexOf(wanted: number | string, names: readonly string[]): number {
  if (typeof wanted === 'number') return wanted;
  const index = names.indexOf(wanted);
  if (index >= 0) return index;
  const nearest = nearestName(wanted, names);
  throw visionError('INVALID_CONFIG', {
    message: `no class is called ${wanted}${nearest === null ? '' : `, did you mean ${nearest}`}`,
    mend: 'List the names of the classes in decoder.classNames, or give its number',
  });
}
