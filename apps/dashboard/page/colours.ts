/** Which colour of the palette a name has: a custom property of the style sheet, without its dashes. */
const OUTCOME_COLOURS = new Map([
  ['webhook.delivered', 'delivered'],
  ['webhook.bounced', 'bounced'],
  ['webhook.error', 'error'],
]);
const CUSTOM_COLOURS = 6;

/** `place`: among the names that are drawn. */
export function colourVariable(name: string, place: number): string {
  return OUTCOME_COLOURS.get(name) ?? `custom-${place % CUSTOM_COLOURS}`;
}
