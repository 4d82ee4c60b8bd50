/**
 * Reads the text exposition format as Prometheus does, and throws where Prometheus would refuse a scrape or count
 * wrongly: unknown types, samples without a family, the same series twice, histograms that don't add up.
 */
export interface PrometheusSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusFamily {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
  readonly help: string;
  readonly samples: PrometheusSample[];
}

const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);
const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)(?: -?\\d+)?$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

export function parsePrometheus(text: string): Map<string, PrometheusFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, PrometheusFamily>();
  const helps = new Map<string, string>();
  const series = new Set<string>();
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const [, kind, name = '', rest = ''] = new RegExp(`^# (HELP|TYPE) (${NAME}) (.*)$`).exec(line) ?? [];
    if (kind === 'HELP') helps.set(name, rest);
    else if (kind === 'TYPE') {
      if (!TYPES.has(rest) || families.has(name)) throw new Error(`bad or second type: ${line}`);
      families.set(name, {
        type: rest as PrometheusFamily['type'],
        help: helps.get(name) ?? '',
        samples: [],
      });
    } else if (!line.startsWith('#')) {
      const sample = parseSample(line);
      const key = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (series.has(key)) throw new Error(`the same series twice: ${line}`);
      series.add(key);
      familyOf(families, sample.name).samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function parseSample(line: string): PrometheusSample {
  const [, name, labelText = '', valueText = ''] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label, value] = LABEL.exec(labelText) ?? [];
    if (label === undefined || value === undefined || label in labels) throw new Error(`bad labels: ${line}`);
    labels[label] = value.replaceAll(/\\(["\\n])/g, (_, escaped: string) =>
      escaped === 'n' ? '\n' : escaped,
    );
  }
  const value = valueText === '+Inf' ? Infinity : valueText === '-Inf' ? -Infinity : Number(valueText);
  if (Number.isNaN(value) && !/^nan$/i.test(valueText)) throw new Error(`no number: ${line}`);
  return { name, labels, value };
}

function familyOf(families: Map<string, PrometheusFamily>, name: string): PrometheusFamily {
  const direct = families.get(name);
  if (direct !== undefined) return direct;
  const family = families.get(name.replace(/_(?:bucket|sum|count)$/, ''));
  if (family?.type !== 'histogram' && family?.type !== 'summary') throw new Error(`${name} has no type`);
  return family;
}

function checkHistogram(name: string, { samples }: PrometheusFamily): void {
  const groups = Map.groupBy(samples, ({ labels: { le: _le, ...others } }) =>
    JSON.stringify(Object.entries(others).sort()),
  );
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const count = group.find((sample) => sample.name === `${name}_count`)?.value;
    const last = buckets.at(-1);
    if (last?.labels['le'] !== '+Inf' || last.value !== count)
      throw new Error(`${name}: +Inf is not the count`);
    for (const [i, bucket] of buckets.entries()) {
      const before = buckets[i - 1];
      if (before === undefined) continue;
      const [from, to] = [before, bucket].map(({ labels }) =>
        labels['le'] === '+Inf' ? Infinity : Number(labels['le']),
      );
      if (!((from as number) < (to as number)) || before.value > bucket.value)
        throw new Error(`${name}: buckets are not cumulative`);
    }
  }
}

/** The value of one series; throws where there is none. */
export function sampleValue(
  families: Map<string, PrometheusFamily>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const samples = [...families.values()]
    .flatMap((family) => family.samples)
    .filter((sample) => sample.name === name);
  const sample = samples.find((one) =>
    Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  );
  if (sample === undefined)
    throw new Error(
      `no ${name} with ${JSON.stringify(labels)} among ${JSON.stringify(samples.map((one) => one.labels))}`,
    );
  return sample.value;
}
