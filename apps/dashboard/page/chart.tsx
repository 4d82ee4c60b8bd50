/**
 * The graph: bars that are stacked, or lines of shares. Dragging zooms in; the arrow keys move the cursor; the values
 * under it are told in text, beside it for eyes and politely for screen readers.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Drawn } from './chart-data.ts';
import { colourVariable } from './colours.ts';
import { number, share, shortNumber, stepTime } from './format.ts';
import type { Range } from './ranges.ts';
import { EVENT_WORDS, labelOf, REASON_WORDS } from './words.ts';

export interface ChartProps {
  readonly drawn: Drawn;
  readonly asRates: boolean;
  readonly step: string;
  readonly timeZone: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly onZoom: (range: Range) => void;
}

const HEIGHT = 280;
// Of 24 hours. By the ticks' distance in seconds: what each says, and what it adds where a day or a year begins.
const TIMES: NonNullable<uPlot.Axis['values']> = [
  [365 * 86_400, '{YYYY}', null, null, null, null, null, null, 1],
  [28 * 86_400, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [86_400, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
];
const FONT = '12px system-ui, sans-serif';

export function Chart(props: ChartProps) {
  const { drawn, asRates, step, timeZone, fromMs, toMs } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const [at, setAt] = useState<number>();
  const scheme = useColourScheme();
  // What the graph is made of. New counts alone are only put into it.
  const form = JSON.stringify([drawn.names, asRates, step, timeZone, scheme]);

  useEffect(() => {
    if (place.current === null) return;
    const made = new uPlot(optionsOf(latest, setAt, place.current), dataOf(latest.current), place.current);
    plot.current = made;
    const resized = new ResizeObserver(([entry]) => {
      if (entry !== undefined) made.setSize({ width: entry.contentRect.width, height: HEIGHT });
    });
    resized.observe(place.current);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [form]);

  useEffect(() => {
    plot.current?.setData(dataOf(latest.current));
  }, [drawn, fromMs, toMs]);

  function moveCursor(event: KeyboardEvent): void {
    const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };
    const by = steps[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const last = drawn.times.length - 1;
    const next = at === undefined ? last : Math.min(last, Math.max(0, at + by));
    setAt(next);
    const left = plot.current?.valToPos((drawn.times[next] ?? 0) + 1, 'x');
    if (left !== undefined) plot.current?.setCursor({ left, top: 10 });
  }

  return (
    <div class="chart">
      <div
        ref={place}
        class="plot"
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor in it.
        tabIndex={0}
        aria-label={`Graph by the ${step}, from ${stepTime(new Date(fromMs).toISOString(), step, timeZone)}. The arrow keys read its values; its table is below.`}
        onKeyDown={moveCursor}
        onDblClick={(event) => event.preventDefault()}
      />
      <p class="readout" aria-live="polite">
        {at === undefined || drawn.times[at] === undefined ? (
          <span class="muted">Drag to zoom in. Hover, or use the arrow keys, for values.</span>
        ) : (
          <>
            <strong>{stepTime(new Date(drawn.times[at] * 1_000).toISOString(), step, timeZone)}</strong>
            {drawn.names.map((name, i) => (
              <span key={name}>
                {' · '}
                {labelOf({ ...EVENT_WORDS, ...REASON_WORDS }, name)}{' '}
                {asRates ? share(drawn.values[i]?.[at] ?? null) : number(drawn.values[i]?.[at] ?? 0)}
              </span>
            ))}
          </>
        )}
      </p>
    </div>
  );
}

function dataOf({ drawn, asRates }: ChartProps): uPlot.AlignedData {
  // The highest stack is drawn first: those below it lie over it.
  const rows = asRates ? drawn.values : drawn.stacked.toReversed();
  return [drawn.times as number[], ...rows.map((row) => row as (number | null)[])];
}

function optionsOf(
  latest: { readonly current: ChartProps },
  setAt: (at: number | undefined) => void,
  place: HTMLElement,
): uPlot.Options {
  const { drawn, asRates, timeZone } = latest.current;
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string) => styles.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour('muted'),
    font: FONT,
    grid: { stroke: colour('border'), width: 1 },
    ticks: { stroke: colour('border'), width: 1 },
  };
  const coloured = drawn.names.map((name, i) => ({ name, colour: colour(colourVariable(name, i)) }));
  const inOrder = asRates ? coloured : coloured.toReversed();
  const bars = uPlot.paths.bars?.({ size: [0.86, 60], align: 1 });
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [10, 22, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), timeZone),
    cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
    scales: {
      x: {
        range: () => [latest.current.fromMs / 1_000, latest.current.toMs / 1_000],
      },
      y: { range: asRates ? [0, 1] : (_plot, _min, max) => [0, Math.max(1, max * 1.05)] },
    },
    axes: [
      { ...axis, space: 76, values: TIMES },
      {
        ...axis,
        size: 52,
        ...(!asRates && {
          incrs: [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6,
            1e7,
          ],
        }),
        values: (_plot, values) => values.map((value) => (asRates ? share(value) : shortNumber(value))),
      },
    ],
    series: [
      {},
      ...inOrder.map(({ name, colour: stroke }, i) => ({
        label: name,
        stroke,
        ...(asRates
          ? // Told apart by more than their colour.
            { width: 2, dash: [[], [7, 4], [2, 4]][i] ?? [], points: { show: true, size: 5, fill: stroke } }
          : { width: 0, fill: stroke, points: { show: false }, ...(bars !== undefined && { paths: bars }) }),
      })),
    ],
    hooks: {
      setCursor: [
        (plot) => {
          const { idx } = plot.cursor;
          if (idx != null) setAt(idx);
        },
      ],
      setSelect: [
        (plot) => {
          if (plot.select.width < 8) return;
          const timeAt = (left: number) => plot.posToVal(left, 'x') * 1_000;
          const range = {
            fromMs: timeAt(plot.select.left),
            toMs: timeAt(plot.select.left + plot.select.width),
          };
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          latest.current.onZoom(range);
        },
      ],
    },
  };
}

function useColourScheme(): 'light' | 'dark' {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const [scheme, setScheme] = useState(dark.matches ? 'dark' : 'light');
  useEffect(() => {
    const onChange = () => setScheme(dark.matches ? 'dark' : 'light');
    dark.addEventListener('change', onChange);
    return () => dark.removeEventListener('change', onChange);
  }, []);
  return scheme as 'light' | 'dark';
}
