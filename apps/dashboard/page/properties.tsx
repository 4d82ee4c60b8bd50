/** What the numbers in a campaign's custom events add up to. */
import { number } from './format.ts';
import type { Totals } from './types.ts';

const COLUMNS = ['count', 'sum', 'average', 'min', 'max'] as const;

export function Properties({ properties }: { properties: NonNullable<Totals['properties']> }) {
  const rows = Object.entries(properties).flatMap(([event, ofEvent]) =>
    Object.entries(ofEvent).map(([property, summary]) => ({ event, property, summary })),
  );
  if (rows.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="properties">
      <h2 id="properties">Numbers of custom events</h2>
      <div class="scroll">
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">Event</th>
              <th scope="col" class="words">
                Property
              </th>
              {COLUMNS.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ event, property, summary }) => (
              <tr key={`${event} ${property}`}>
                <th scope="row">{event}</th>
                <td data-label="Property" class="words">
                  {property}
                </td>
                {COLUMNS.map((column) => (
                  <td key={column} data-label={column}>
                    {number(summary[column])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
