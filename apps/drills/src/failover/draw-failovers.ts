/** The drill's numbers as text. */
import type { FailoverReport, FailoverSettings } from './run-failovers.ts';

export function failoverTable(
  {
    reckoning,
    audited,
    longestRefusalMs,
    slowestRefusalMs,
    faults,
    uncleanEnds,
    secretsShown,
  }: FailoverReport,
  { waitReplicas }: FailoverSettings,
): string {
  const rows: readonly (readonly [name: string, value: number, meaning: string])[] = [
    ['accepted', reckoning.accepted, 'answered with 202'],
    ['delivered', reckoning.delivered, ''],
    ['dead-lettered', reckoning.deadLettered, ''],
    [
      'lost',
      reckoning.lost,
      waitReplicas > 0 ? '0: replicas were waited for' : 'replicas were not waited for',
    ],
    ['forgotten', reckoning.forgotten, 'delivered, and not on record as that'],
    ['stranded', reckoning.stranded, 'on record as pending, and nothing goes on with them'],
    ['lost events', reckoning.lostEvents, 'custom ones, accepted and not counted'],
    ['miscounted', reckoning.miscounted, 'counters beside records'],
    ['off', audited.off, 'counters beside the attempt logs, as an audit finds them'],
    ['unlogged', audited.unlogged, 'counted attempts of which there is no log'],
    ['repeats', reckoning.repeats, 'requests without a record'],
    ['no 202 for, ms', longestRefusalMs, 'at the worst'],
    ['slowest 503, ms', slowestRefusalMs, '2,000 are promised'],
    ['faults', faults, '0: answers of 5xx, but 503'],
    ['unclean ends', uncleanEnds, '0'],
    ['secrets shown', secretsShown, '0'],
  ];
  return rows
    .map(([name, value, meaning]) => `  ${name.padEnd(20)}${String(value).padStart(8)}   ${meaning}`)
    .join('\n');
}
