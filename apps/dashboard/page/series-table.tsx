/** The table behind the graph, and its download. */
import { countOf, namesOf } from './chart-data.ts';
import { csvName, toCsv } from './csv-text.ts';
import { download } from './download.ts';
import { number, share, sheetTime, stepTime } from './format.ts';
import type { Series } from './types.ts';
import { EVENT_WORDS, labelOf, REASON_WORDS } from './words.ts';

// A table of thousands of rows helps nobody, and the download has them all.
const ROWS_MAX = 200;
const NAMES_SHOWN_MAX = 12;

export function SeriesTable({ campaignId, series }: { campaignId: string; series: Series }) {
  const names = namesOf(series.totals, series.groupBy);
  const words = { ...EVENT_WORDS, ...REASON_WORDS };
  const shownNames = names.slice(0, NAMES_SHOWN_MAX);
  const filled = series.points.filter(({ counts }) => Object.values(counts).some((count) => count > 0));
  const rows = filled.toReversed().slice(0, ROWS_MAX);

  function save(): void {
    const header = ['from', `from (${series.tz})`, ...names];
    const body = series.points.map(({ at, counts }) => [
      at,
      sheetTime(at, series.tz),
      ...names.map((name) => countOf(counts, name)),
    ]);
    download(csvName([campaignId, series.step, series.groupBy]), toCsv([header, ...body]));
  }

  return (
    <>
      {series.groups !== undefined && series.groups.length > 0 && <Groups groups={series.groups} />}
      <details class="table">
        <summary>The numbers as a table</summary>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">From ({series.tz})</th>
                {shownNames.map((name) => (
                  <th key={name} scope="col">
                    {labelOf(words, name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ at, counts }) => (
                <tr key={at}>
                  <th scope="row">{stepTime(at, series.step, series.tz)}</th>
                  {shownNames.map((name) => (
                    <td key={name}>{number(countOf(counts, name))}</td>
                  ))}
                </tr>
              ))}
              <tr class="sum">
                <th scope="row">Sum</th>
                {shownNames.map((name) => (
                  <td key={name}>{number(countOf(series.totals, name))}</td>
                ))}
              </tr>
            </tbody>
          </table>
        </div>
        <p class="muted small">
          Steps in which nothing happened are left out
          {filled.length > rows.length && ', and all but the latest 200'}. The download has every step.
        </p>
      </details>
      <button type="button" onClick={save}>
        Download CSV
      </button>
    </>
  );
}

function Groups({ groups }: { groups: NonNullable<Series['groups']> }) {
  const outcomes = ['webhook.delivered', 'webhook.bounced', 'webhook.error'];
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">In this range</th>
            {outcomes.map((event) => (
              <th key={event} scope="col">
                {labelOf(EVENT_WORDS, event)}
              </th>
            ))}
            <th scope="col">Delivered of responses</th>
          </tr>
        </thead>
        <tbody>
          {groups.map(({ name, events, rates }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {outcomes.map((event) => (
                <td key={event}>{number(events[event] ?? 0)}</td>
              ))}
              <td>{share(rates.delivered)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
