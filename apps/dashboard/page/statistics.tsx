/** The statistics graph: what happened over time, as counts or as shares, by event, reason, message or channel. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { call, path, query } from './api.ts';
import { Chart } from './chart.tsx';
import { drawCounts, drawRates } from './chart-data.ts';
import { Legend } from './legend.tsx';
import {
  RANGES,
  type Range,
  type RangeName,
  rangeNameFor,
  rangeOf,
  type Step,
  stepFor,
  stepsFor,
} from './ranges.ts';
import { SeriesTable } from './series-table.tsx';
import type { Series, Totals } from './types.ts';

const RANGE_LABELS: Readonly<Record<RangeName, string>> = {
  '1h': '1 hour',
  '24h': '24 hours',
  '7d': '7 days',
  '30d': '30 days',
  all: 'All',
};

const GROUPS = [
  ['event', 'Events'],
  ['reason', 'Reasons'],
  ['messageId', 'Messages'],
  ['channelConfigId', 'Channels'],
] as const;

type Group = (typeof GROUPS)[number][0];

// New counts are drawn so soon, and not more often: a graph is not a ticker.
const REFRESH_MS = 2_000;
const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function Statistics({ campaignId, totals }: { campaignId: string; totals: Totals }) {
  const [rangeName, setRangeName] = useState<RangeName>(() => rangeNameFor(totals.firstEventAt, Date.now()));
  const [zoomed, setZoomed] = useState<Range>();
  const [chosenStep, setChosenStep] = useState<Step>();
  const [groupBy, setGroupBy] = useState<Group>('event');
  const [asRates, setAsRates] = useState(false);
  const [timeZone, setTimeZone] = useState(OWN_ZONE);
  const [series, setSeries] = useState<Series>();
  const [problem, setProblem] = useState<string>();
  const tick = useThrottled(JSON.stringify(totals), REFRESH_MS);

  const range = zoomed ?? rangeOf(rangeName, Date.now(), totals.firstEventAt);
  const steps = stepsFor(range).filter(
    (one) => one !== 'minute' || (groupBy !== 'messageId' && groupBy !== 'channelConfigId'),
  );
  const best = stepFor(range, Date.now());
  const step =
    chosenStep !== undefined && steps.includes(chosenStep)
      ? chosenStep
      : steps.includes(best)
        ? best
        : (steps[0] ?? 'day');

  useEffect(() => {
    const abort = new AbortController();
    const asked = zoomed ?? rangeOf(rangeName, Date.now(), totals.firstEventAt);
    const search = query({
      from: new Date(asked.fromMs).toISOString(),
      to: new Date(asked.toMs).toISOString(),
      step,
      groupBy,
      tz: timeZone,
    });
    call<Series>(`${path.campaign(campaignId)}/series?${search}`, { signal: abort.signal }).then(
      (found) => {
        setSeries(found);
        setProblem(undefined);
      },
      (error: Error) => {
        if (!abort.signal.aborted) setProblem(error.message);
      },
    );
    return () => abort.abort();
  }, [campaignId, rangeName, zoomed, step, groupBy, timeZone, tick]);

  const drawnAsRates = asRates && groupBy === 'event';
  const drawn = useMemo(
    () => (series === undefined ? undefined : drawnAsRates ? drawRates(series) : drawCounts(series)),
    [series, drawnAsRates],
  );
  const choose = (name: RangeName) => {
    setRangeName(name);
    setZoomed(undefined);
    setChosenStep(undefined);
  };

  return (
    <section class="panel" aria-labelledby="statistics">
      <h2 id="statistics">Over time</h2>
      <div class="toolbar">
        <fieldset class="choices">
          <legend class="hidden">Range</legend>
          {RANGES.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={zoomed === undefined && name === rangeName}
              onClick={() => choose(name)}
            >
              {RANGE_LABELS[name]}
            </button>
          ))}
          {zoomed !== undefined && (
            <button type="button" aria-pressed onClick={() => choose(rangeName)}>
              Zoomed: undo
            </button>
          )}
        </fieldset>
        <Select label="By" value={groupBy} options={GROUPS} onChange={setGroupBy} />
        <Select
          label="Step"
          value={step}
          options={steps.map((one) => [one, one] as const)}
          onChange={setChosenStep}
        />
        <Select
          label="Time zone"
          value={timeZone}
          options={[...new Set([OWN_ZONE, 'UTC'])].map((zone) => [zone, zone] as const)}
          onChange={setTimeZone}
        />
        <fieldset class="choices">
          <legend class="hidden">Shown as</legend>
          <button type="button" aria-pressed={!drawnAsRates} onClick={() => setAsRates(false)}>
            Counts
          </button>
          <button
            type="button"
            aria-pressed={drawnAsRates}
            disabled={groupBy !== 'event'}
            onClick={() => setAsRates(true)}
          >
            Rates
          </button>
        </fieldset>
      </div>
      {problem !== undefined && <p role="alert">{problem}</p>}
      {series !== undefined && drawn !== undefined && (
        <>
          <Chart
            drawn={drawn}
            asRates={drawnAsRates}
            step={series.step}
            timeZone={series.tz}
            fromMs={Date.parse(series.from)}
            toMs={Date.parse(series.to)}
            onZoom={(zoom) => {
              setZoomed(zoom);
              setChosenStep(undefined);
            }}
          />
          <Legend series={series} drawn={drawn} asRates={drawnAsRates} />
          <Notes series={series} />
          <SeriesTable campaignId={campaignId} series={series} />
        </>
      )}
    </section>
  );
}

function Notes({ series: { keptFrom, exactFrom, tz } }: { series: Series }) {
  const day = (iso: string) =>
    new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: tz }).format(new Date(iso));
  return (
    <>
      {keptFrom !== undefined && (
        <p class="muted small">Before {day(keptFrom)} counts by this step are no longer kept.</p>
      )}
      {exactFrom !== undefined && (
        <p class="muted small">
          Before {day(exactFrom)} days are those of UTC: counts near midnight may stand a day beside theirs.
        </p>
      )}
    </>
  );
}

interface SelectProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [T, string])[];
  readonly onChange: (value: T) => void;
}

function Select<T extends string>({ label, value, options, onChange }: SelectProps<T>) {
  return (
    <label>
      {label}{' '}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A number that changes with the value: at once after a rest, else when the interval is over. */
function useThrottled(value: string, intervalMs: number): number {
  const [tick, setTick] = useState(0);
  const latest = useRef({ value, atMs: Date.now() });
  useEffect(() => {
    if (value === latest.current.value) return;
    const waitMs = Math.max(0, latest.current.atMs + intervalMs - Date.now());
    const timer = setTimeout(() => {
      latest.current = { value, atMs: Date.now() };
      setTick((before) => before + 1);
    }, waitMs);
    return () => clearTimeout(timer);
  }, [value, intervalMs]);
  return tick;
}
