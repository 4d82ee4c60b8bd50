/** A soak's figures as a table for a terminal, and as an SVG chart: one row for each thing that is watched. Pure. */
import { medianOf } from './find-growth.ts';
import type { SoakReport } from './run-soak.ts';
import type { Phase, SoakSample } from './watch-fleet.ts';
import type { ProcessSample } from './watch-process.ts';

const ROWS: readonly {
  readonly title: string;
  readonly unit: 'MB' | '';
  readonly of: keyof ProcessSample;
}[] = [
  { title: 'heap after a collection', unit: 'MB', of: 'heapBytes' },
  { title: 'resident memory', unit: 'MB', of: 'residentBytes' },
  { title: 'handles', unit: '', of: 'handles' },
  { title: 'sockets', unit: '', of: 'sockets' },
];
const REDIS_ROWS: readonly {
  readonly title: string;
  readonly unit: 'MB' | '';
  readonly of: keyof SoakSample['redis'];
}[] = [
  { title: 'Redis memory', unit: 'MB', of: 'bytes' },
  { title: 'Redis keys without a lifetime', unit: '', of: 'lastingKeys' },
];

/** At rest before the load, under it (its last third), and at rest after it: medians. */
export function soakTable({ samples, census }: SoakReport): string {
  const names = Object.keys(samples[0]?.processes ?? {});
  const third = (of: readonly SoakSample[]) => of.slice(Math.floor((of.length * 2) / 3));
  const phases: readonly Phase[] = ['rest before', 'load', 'rest after'];
  const median = (phase: Phase, of: (sample: SoakSample) => number) =>
    medianOf(third(samples.filter((sample) => sample.phase === phase)).map(of));
  const line = (title: string, unit: string, of: (sample: SoakSample) => number) =>
    `  ${title.padEnd(40)}${phases.map((phase) => shown(median(phase, of), unit).padStart(14)).join('')}`;
  const head = `  ${''.padEnd(40)}${phases.map((phase) => phase.padStart(14)).join('')}`;
  const lines = [
    ...ROWS.flatMap(({ title, unit, of }) =>
      names.map((name) => line(`${name}: ${title}`, unit, ({ processes }) => processes[name]?.[of] ?? 0)),
    ),
    ...REDIS_ROWS.map(({ title, unit, of }) => line(title, unit, ({ redis }) => redis[of])),
  ];
  const kept = census.families.map(
    ({ family, keys, bytes, lasting }) =>
      `  ${family.padEnd(40)}${String(keys).padStart(14)}${shown(bytes, 'MB').padStart(14)}${String(lasting).padStart(14)}`,
  );
  const keptHead = `  ${'kept by Redis in the end'.padEnd(40)}${['keys', 'memory', 'no lifetime'].map((name) => name.padStart(14)).join('')}`;
  return [head, ...lines, '', keptHead, ...kept].join('\n');
}

function shown(value: number, unit: string): string {
  return unit === 'MB' ? `${(value / 1e6).toFixed(1)} MB` : String(Math.round(value));
}

const WIDTH = 860;
const LEFT = 190;
const HEIGHT = 90;
const GAP = 34;
const COLOURS = ['#1c6fbd', '#c2571a', '#2f8f4e', '#8a4fbf', '#9aa4b2'];
const SHADES: Readonly<Record<Phase, string>> = {
  'warm up': '#f3f0e6',
  'rest before': '#ffffff',
  load: '#e8f0f8',
  drain: '#f3f0e6',
  'rest after': '#ffffff',
};

interface Line {
  readonly name: string;
  readonly read: (sample: SoakSample) => number;
}

export function soakChart({ samples }: Pick<SoakReport, 'samples'>): string {
  const names = Object.keys(samples[0]?.processes ?? {});
  const endMs = samples.at(-1)?.atMs ?? 1;
  const xOf = (atMs: number) => LEFT + (atMs / endMs) * (WIDTH - LEFT - 20);
  const rows: { title: string; unit: string; lines: Line[] }[] = [
    ...ROWS.map(({ title, unit, of }) => ({
      title,
      unit,
      lines: names.map((name) => ({
        name,
        read: ({ processes }: SoakSample) => processes[name]?.[of] ?? 0,
      })),
    })),
    ...REDIS_ROWS.map(({ title, unit, of }) => ({
      title,
      unit,
      lines: [{ name: 'Redis', read: ({ redis }: SoakSample) => redis[of] }],
    })),
  ];
  const shades = spansOf(samples).map(
    ({ phase, fromMs, toMs }) =>
      `<rect x="${xOf(fromMs).toFixed(1)}" y="24" width="${(xOf(toMs) - xOf(fromMs)).toFixed(1)}" height="${rows.length * (HEIGHT + GAP)}" fill="${SHADES[phase]}"/>` +
      (toMs - fromMs > endMs / 20
        ? `<text x="${xOf((fromMs + toMs) / 2).toFixed(1)}" y="18" text-anchor="middle">${phase}</text>`
        : ''),
  );
  const drawn = rows.map(({ title, unit, lines }, i) => {
    const top = 34 + i * (HEIGHT + GAP);
    const most = Math.max(1, ...samples.flatMap((sample) => lines.map(({ read }) => read(sample))));
    const yOf = (value: number) => top + HEIGHT - (value / most) * HEIGHT;
    const paths = lines.map(({ name, read }, n) => {
      const points = samples.map(
        (sample) => `${xOf(sample.atMs).toFixed(1)},${yOf(read(sample)).toFixed(1)}`,
      );
      const colour = name === 'Redis' ? '#b3261e' : COLOURS[n % COLOURS.length];
      return (
        `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>` +
        `<text x="12" y="${top + 34 + n * 15}" fill="${colour}">${name}</text>`
      );
    });
    return (
      // Above the axis' labels, which a long one would run into.
      `<text x="12" y="${top - 4}" font-weight="bold">${title}</text>` +
      `<text x="${LEFT - 8}" y="${top + 10}" text-anchor="end">${shown(most, unit)}</text>` +
      `<text x="${LEFT - 8}" y="${top + HEIGHT}" text-anchor="end">0</text>` +
      `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${top + HEIGHT}" y2="${top + HEIGHT}" stroke="#9aa4b2"/>${paths.join('')}`
    );
  });
  const height = 34 + rows.length * (HEIGHT + GAP) + 6;
  const minutes = (endMs / 60_000).toFixed(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12"><title>A soak: heap, memory, handles and sockets of each process, memory and keys of Redis</title><rect width="100%" height="100%" fill="#fff"/>${shades.join('')}${drawn.join('')}<text x="${WIDTH - 20}" y="${height - 8}" text-anchor="end">${minutes} minutes</text></svg>\n`;
}

/** Stretches of one phase. */
function spansOf(samples: readonly SoakSample[]): { phase: Phase; fromMs: number; toMs: number }[] {
  const spans: { phase: Phase; fromMs: number; toMs: number }[] = [];
  for (const { phase, atMs } of samples) {
    const last = spans.at(-1);
    if (last !== undefined) last.toMs = atMs;
    if (last?.phase !== phase) spans.push({ phase, fromMs: atMs, toMs: atMs });
  }
  return spans;
}
