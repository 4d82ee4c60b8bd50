/** Stacked columns in a terminal, with the largest beside them. Pure: colours are the caller's. */
export interface ChartPart {
  /** One character wide: parts are told apart where there are no colours. */
  readonly glyph: string;
  readonly paint: (text: string) => string;
  /** One for each column. */
  readonly values: readonly number[];
}

export interface ChartOptions {
  readonly height: number;
  readonly columnWidth: number;
}

/** Rows from the top, without a label. Whatever is not 0 is seen: its column is one row high at least. */
export function columnChart(parts: readonly ChartPart[], { height, columnWidth }: ChartOptions): string[] {
  const columns = Math.max(0, ...parts.map(({ values }) => values.length));
  const stacks = Array.from({ length: columns }, (_, at) => cellsOf(parts, at, height, largestOf(parts)));
  return Array.from({ length: height }, (_, row) =>
    stacks
      .map((cells) => {
        const part = parts[cells[height - 1 - row] ?? -1];
        return part === undefined ? ' '.repeat(columnWidth) : part.paint(part.glyph.repeat(columnWidth));
      })
      .join('')
      .trimEnd(),
  );
}

export function largestOf(parts: readonly ChartPart[]): number {
  const columns = Math.max(0, ...parts.map(({ values }) => values.length));
  return Math.max(0, ...Array.from({ length: columns }, (_, at) => sumAt(parts, at)));
}

/** Which part each cell belongs to, from the bottom. Rounded where parts meet, so that they add up to the column. */
function cellsOf(parts: readonly ChartPart[], at: number, height: number, largest: number): number[] {
  const sum = sumAt(parts, at);
  if (sum === 0) return [];
  const full = Math.max(1, Math.round((sum / largest) * height));
  let below = 0;
  return parts.flatMap(({ values }, part) => {
    const from = Math.round((below / sum) * full);
    below += values[at] ?? 0;
    return new Array<number>(Math.round((below / sum) * full) - from).fill(part);
  });
}

function sumAt(parts: readonly ChartPart[], at: number): number {
  return parts.reduce((sum, { values }) => sum + (values[at] ?? 0), 0);
}
