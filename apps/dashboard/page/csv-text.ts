// Without it, a spreadsheet takes UTF-8 for the letters of its own country.
const BYTE_ORDER_MARK = '\ufeff';

/** A table as CSV (RFC 4180). Names are other people's: what a spreadsheet would take for a formula is disarmed. */
export function toCsv(rows: readonly (readonly (string | number)[])[]): string {
  return BYTE_ORDER_MARK + rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

/** A file's name: letters of any alphabet stay, what some system refuses in names does not. */
export function csvName(parts: readonly string[]): string {
  const [first = '', ...others] = parts.map((part) => part.replaceAll(/[\p{C}\p{Z}<>:"/\\|?*]+/gu, '_'));
  return `${[[...first].slice(0, 60).join('').replace(/^\.+/, '_'), ...others].join('-')}.csv`;
}

function cell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
