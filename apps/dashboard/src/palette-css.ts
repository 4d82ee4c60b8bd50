/** The palette as custom properties of the style sheet, light and dark. */
import { type Palette, PALETTES } from '../page/palette.ts';

export function paletteCss(): string {
  return `:root{color-scheme:light dark;${properties(PALETTES.light)}}
@media (prefers-color-scheme:dark){:root{${properties(PALETTES.dark)}}}`;
}

function properties(palette: Palette): string {
  const { custom, ...named } = palette;
  const colours = [...Object.entries(named), ...custom.map((colour, i) => [`custom-${i}`, colour])];
  return colours.map(([name, colour]) => `--${name}:${colour}`).join(';');
}
