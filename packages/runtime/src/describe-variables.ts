/** The variables as the README's table shows them: a test holds the two together. */
import type { ConfigSpec } from './load-config.ts';

/** A row for each: name, default, bounds or choices, consequence. */
export function variableRows(spec: ConfigSpec): string[] {
  return Object.values(spec).map(
    ({ name, defaultText, type, help }) => `| \`${name}\` | ${defaultText ?? ''} | ${type} | ${help} |`,
  );
}
