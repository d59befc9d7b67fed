import type { QueryLimits } from './limits.ts';
import { refusal } from './refuse.ts';
import type { Batches } from './stages.ts';

/** All elements; throws INVALID_QUERY when there are more than `resultRows`. */
export async function toArrayOf<T>(source: Batches<T>, { resultRows }: QueryLimits): Promise<T[]> {
  const elements: T[] = [];
  for await (const batch of source) {
    if (elements.length + batch.length > resultRows) {
      throw refusal(
        `toArray() would collect more than ${String(resultRows)} elements (resultRows)`,
        'Iterate with for await, or end the query with take()',
      );
    }
    for (const element of batch) {
      elements.push(element);
    }
  }
  return elements;
}
