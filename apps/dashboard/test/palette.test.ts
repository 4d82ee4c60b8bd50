/**
 * WCAG 2.2 AA by computation: text 4.5 to 1, what is drawn and the edges of controls 3 to 1, light and dark.
 * Takes under a second.
 */
import { expect, test } from '@jest/globals';
import { type Palette, PALETTES } from '../page/palette.ts';

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

test('contrast is computed as WCAG defines it', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
});

const surfaces = ({ background, surface, raised }: Palette) => [background, surface, raised];

describeEach('texts are read on every surface', 4.5, (palette) =>
  surfaces(palette).flatMap((surface) =>
    [palette.text, palette.muted, palette.accent, palette.danger].map((text) => [text, surface] as const),
  ),
);

describeEach(
  'texts are read on what is filled',
  4.5,
  ({ accent, onAccent, danger, onDanger, text, background }) => [
    [onAccent, accent],
    [onDanger, danger],
    // A notice.
    [background, text],
  ],
);

describeEach('what is drawn is seen', 3, (palette) =>
  [palette.delivered, palette.bounced, palette.error, ...palette.custom].map(
    (colour) => [colour, palette.surface] as const,
  ),
);

describeEach("controls' edges and marks are seen", 3, (palette) =>
  surfaces(palette).flatMap((surface) =>
    [palette.edge, palette.delivered, palette.bounced, palette.error].map(
      (colour) => [colour, surface] as const,
    ),
  ),
);

function describeEach(
  what: string,
  least: number,
  pairs: (palette: Palette) => readonly (readonly [string, string])[],
): void {
  test.each(Object.keys(PALETTES) as (keyof typeof PALETTES)[])(`${what}: %s`, (name) => {
    const poor = pairs(PALETTES[name])
      .map(([one, other]) => ({ one, other, ratio: Math.round(contrast(one, other) * 100) / 100 }))
      .filter(({ ratio }) => ratio < least);
    expect(poor).toEqual([]);
  });
}
