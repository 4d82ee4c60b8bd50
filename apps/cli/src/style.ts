/** Colours, one for each meaning. Node leaves them out where the output is no terminal, or NO_COLOR is set. */
import { styleText } from 'node:util';

export const good = (text: string) => styleText('green', text);
export const bad = (text: string) => styleText('red', text);
export const doubtful = (text: string) => styleText('yellow', text);
export const faint = (text: string) => styleText('dim', text);
export const strong = (text: string) => styleText('bold', text);

/** An outcome's event, or a state, in the colour of its meaning. */
export function colourOf(word: string): (text: string) => string {
  if (/^(?:webhook\.delivered|delivered|closed|running|completed|ok)$/.test(word)) return good;
  if (/^(?:webhook\.error|failed|open|cancelled|expired)$/.test(word)) return bad;
  if (/^(?:webhook\.bounced|retrying|paused|heldBack)$/.test(word)) return doubtful;
  return (text) => text;
}
