/** The benchmark's figures as a table for a terminal, and as an SVG chart. Pure. */
import type { Figure } from './run-bench.ts';

export function benchTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, unit, median, min, max }) => [
    name,
    `${shown(median)} ${unit}`.trim(),
    min === max ? '' : `${shown(min)} … ${shown(max)}`,
  ]);
  const width = Math.max(...rows.map(([name = '']) => name.length));
  return rows
    .map(([name = '', median = '', spread = '']) =>
      `  ${name.padEnd(width)}${median.padStart(14)}   ${spread}`.trimEnd(),
    )
    .join('\n');
}

/** Three digits are what such measurements can tell. */
export function shown(value: number): string {
  const digits = value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return digits.toLocaleString('en', { maximumFractionDigits: 2 });
}

const ROW = 26;
const LABELS = 300;
const BARS = 420;

/** Rates alone: bars of other units could not be compared with them. */
export function benchChart(figures: readonly Figure[]): string {
  const rates = figures.filter(({ unit }) => unit === '/s');
  const most = Math.max(10, ...rates.map(({ median }) => median));
  // The fastest is a hundred times as fast as the slowest: a logarithm shows both.
  const lengthOf = (value: number) => (Math.log10(Math.max(1, value)) / Math.log10(most)) * BARS;
  const bars = rates.map(({ name, median }, i) => {
    const y = i * ROW + 10;
    const colour = name.startsWith('ceiling') ? '#9aa4b2' : '#1c6fbd';
    return [
      `<text x="${LABELS - 10}" y="${y + 14}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${lengthOf(median).toFixed(1)}" height="${ROW - 8}" fill="${colour}"/>`,
      `<text x="${LABELS + lengthOf(median) + 6}" y="${y + 14}">${shown(median)}</text>`,
    ].join('');
  });
  const height = rates.length * ROW + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LABELS + BARS + 90}" height="${height}" font-family="sans-serif" font-size="13">${bars.join('')}</svg>\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
