/** The drill's numbers as text, each beside what it must be. */
import type { LoadReport } from './load-and-reckon.ts';

export function chaosTable(report: LoadReport): string {
  const { reckoning, killed, stopped, unanswered, uncleanEnds, secretsShown } = report;
  const rows: readonly (readonly [name: string, value: number, wanted: string])[] = [
    ['accepted', reckoning.accepted, `delivered + dead-lettered; ${unanswered} of them without an answer`],
    ['delivered', reckoning.delivered, ''],
    ['dead-lettered', reckoning.deadLettered, ''],
    ['lost', reckoning.lost, '0'],
    ['miscounted', reckoning.miscounted, '0'],
    ['repeats', reckoning.repeats, `at most ${reckoning.inFlightAtKill}, in flight at SIGKILL`],
    ['repeats at SIGTERM', reckoning.repeatsAtTerm, '0'],
    ['unclean ends', uncleanEnds, `0, of ${stopped} processes told to stop; ${killed} were killed`],
    ['secrets shown', secretsShown, '0'],
  ];
  return rows
    .map(([name, value, wanted]) => `  ${name.padEnd(20)}${String(value).padStart(8)}   ${wanted}`)
    .join('\n');
}
