/** Which side the text of a column is flush with. */
export type Side = 'left' | 'right';

export interface Column {
  readonly title: string;
  readonly side: Side;
}

/** Lines of a table, without a line end; a cell that is missing is empty. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ side }, at) => {
        const width = widths[at] ?? 0;
        const cell = cells[at] ?? '';
        return side === 'left' ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(columns.map(({ title }) => title)), rule, ...rows.map(line)];
}
