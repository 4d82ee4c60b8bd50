/** Columns of text, as wide as they need to be: numbers stand right, words left. Pure. */
import { stripVTControlCharacters } from 'node:util';

const INDENT = '  ';
const GAP = '  ';

export function textTable(rows: readonly (readonly (string | number)[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map((row) => widthOf(String(row[at] ?? '')))),
  );
  return rows.map((row) => {
    const cells = row.map((cell, at) => pad(String(cell), widths[at] as number, typeof cell === 'number'));
    return (INDENT + cells.join(GAP)).trimEnd();
  });
}

/** Escape codes take no room. */
function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

function pad(text: string, width: number, right: boolean): string {
  const room = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? room + text : text + room;
}

/** What others wrote, on one line and without control characters: a response must not move our cursor. */
export function printable(text: string, widthMax = Number.POSITIVE_INFINITY): string {
  const plain = stripVTControlCharacters(text).replaceAll(/[\p{C}\p{Z}]+/gu, ' ');
  return [...plain].length <= widthMax ? plain : `${[...plain].slice(0, widthMax - 1).join('')}…`;
}
