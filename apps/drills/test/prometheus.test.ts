/**
 * Rules, alerts, runbook, dashboard and scaling work with a real Prometheus: promtool checks and tests them, each query
 * returns data of a fleet that has delivered a campaign, and every metric and alert that they name exists.
 * Takes about 34 s.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  eventually,
  parsePrometheus,
  promtool,
  type Receiver,
  sampleValue,
  startReceiver,
} from '@hookfleet/testkit';
import { stringify } from 'yaml';
import { desiredWorkers } from './desired-workers.ts';
import { APPLICATIONS, DOCKER, documentsOf, filesIn, type Parsed, textOf } from './docker-files.ts';
import {
  enqueue,
  type FleetProcess,
  startWatchedFleet,
  totalsOf,
  type WatchedFleet,
} from './watched-fleet.ts';

const rules: Parsed[] = filesIn('prometheus/rules').flatMap((path) =>
  documentsOf(path).flatMap(({ groups }) => groups.flatMap((group: Parsed) => group.rules)),
);
const alerts = rules.filter((rule) => rule.alert !== undefined);
const records = rules.filter((rule) => rule.record !== undefined);
const dashboard: Parsed = JSON.parse(textOf('grafana/dashboards/hookfleet.json'));
const panels: Parsed[] = dashboard.panels.filter(({ type }: Parsed) => type !== 'row');
const [scaledObject] = documentsOf('kubernetes/keda/scaled-object.yaml');
const runbook = textOf('prometheus/RUNBOOK.md');

// Few slots and a slow destination: a worker is full with a load that costs the machine little.
const WORKER = { HOOKFLEET_CONCURRENCY: '10' };
const SLOW_PATH = '/slow';
const SLOW_MS = 400;
// Guards against hanging alone.
const PROMPTLY = { timeoutMs: 120_000 };
const PATIENTLY = { timeoutMs: 120_000, intervalMs: 250 };

/** As Grafana puts it in, for a panel of an hour: four scrapes at least. */
function asAsked(expression: string): string {
  return expression.replaceAll('$__rate_interval', '1m');
}

const queries: [string, string][] = [
  ...panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }: Parsed) => [`dashboard, ${title}`, asAsked(expr)] as [string, string]),
  ),
  ...scaledObject.spec.triggers.map(({ name, metadata }: Parsed) => [`scaling, ${name}`, metadata.query]),
  ...records.map(({ record, expr }) => [`rule, ${record}`, expr]),
];

describe('promtool', () => {
  test('takes the configuration, the rules and the tests of the rules', async () => {
    await promtool('check', 'config', `${DOCKER}prometheus/prometheus.yaml`);
    await promtool(
      'check',
      'rules',
      '--lint=all',
      '--lint-fatal',
      ...filesIn('prometheus/rules').map((path) => DOCKER + path),
    );
    await promtool('test', 'rules', ...filesIn('prometheus/tests').map((path) => DOCKER + path));
  }, 120_000);

  test('notices an alert that fires too late', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'hookfleet-rules-'));
    for (const path of filesIn('prometheus/rules'))
      await writeFile(
        join(directory, path.split('/').at(-1) ?? ''),
        textOf(path).replace('backlog_seconds) > 600', 'backlog_seconds) > 2000'),
      );
    // Its own tests alone: promtool takes a second for the rest.
    const [{ tests, rule_files, ...settings }] = documentsOf('prometheus/tests/alerts.yaml');
    const ofBacklog = tests.filter(({ alert_rule_test = [] }: Parsed) =>
      alert_rule_test.some(({ alertname }: Parsed) => alertname === 'HookfleetBacklog'),
    );
    await writeFile(
      join(directory, 'tests.yaml'),
      stringify({
        ...settings,
        rule_files: rule_files.map((path: string) => path.replace('../rules/', '')),
        tests: ofBacklog,
      }),
    );
    await expect(promtool('test', 'rules', join(directory, 'tests.yaml'))).rejects.toThrow(
      /HookfleetBacklog/,
    );
    await rm(directory, { recursive: true });
  }, 120_000);

  test('every alert is tested where it must fire, and where it must not', () => {
    const cases = filesIn('prometheus/tests').flatMap((path) =>
      documentsOf(path).flatMap(({ tests }) =>
        tests.flatMap(({ alert_rule_test = [] }: Parsed) => alert_rule_test),
      ),
    );
    for (const { alert } of alerts) {
      const fires = cases
        .filter(({ alertname }: Parsed) => alertname === alert)
        .map(({ exp_alerts }: Parsed) => exp_alerts.length > 0);
      expect([alert, fires.includes(true), fires.includes(false)]).toEqual([alert, true, true]);
    }
  });
});

describe('the runbook', () => {
  test('has an entry for each alert, and for no other, that tells what it means, where to look and what to do', () => {
    const entries = runbook.split(/^## /m).slice(1);
    expect(entries.map((entry) => entry.split('\n')[0]).sort()).toEqual(
      alerts.map(({ alert }) => alert).sort(),
    );
    for (const entry of entries)
      expect(entry).toMatch(/\*\*Means:\*\*[\s\S]*\*\*Look at:\*\*[\s\S]*\*\*Do:\*\*/);
  });

  test('is where each alert points to', () => {
    for (const { alert, annotations, labels } of alerts) {
      expect(annotations.runbook).toBe(`docker/prometheus/RUNBOOK.md#${alert.toLowerCase()}`);
      expect(['critical', 'warning']).toContain(labels.severity);
      expect(annotations.summary.length).toBeLessThan(100);
    }
  });
});

describe('the dashboard', () => {
  test('is one that Grafana takes: ids are unique, panels lie in the grid and on no other, the data source is ours', () => {
    expect(dashboard).toMatchObject({ uid: 'hookfleet', title: 'hookfleet', schemaVersion: 39 });
    const ids = dashboard.panels.map(({ id }: Parsed) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const [{ datasources }] = documentsOf('grafana/provisioning/datasources/prometheus.yaml');
    const taken = new Set<string>();
    for (const { gridPos, title } of dashboard.panels) {
      const { x, y, w, h } = gridPos;
      expect([title, x >= 0 && x + w <= 24]).toEqual([title, true]);
      for (let column = x; column < x + w; column += 1) {
        for (let line = y; line < y + h; line += 1) {
          expect([title, taken.has(`${column},${line}`)]).toEqual([title, false]);
          taken.add(`${column},${line}`);
        }
      }
    }
    for (const { datasource, targets, title, description, fieldConfig, type } of panels) {
      expect(['stat', 'timeseries']).toContain(type);
      expect([title, description.length > 10, fieldConfig.defaults.unit.length > 0]).toEqual([
        title,
        true,
        true,
      ]);
      const refs = targets.map(({ refId }: Parsed) => refId);
      expect(new Set(refs).size).toBe(refs.length);
      for (const target of [{ datasource }, ...targets])
        expect(target.datasource).toEqual({ type: 'prometheus', uid: datasources[0].uid });
    }
  });
});

describe('with a fleet that has delivered a campaign', () => {
  let fleet: WatchedFleet;
  let receiver: Receiver;
  let aggregator: FleetProcess;
  let producer: FleetProcess;
  const names = new Set<string>();

  beforeAll(async () => {
    fleet = await startWatchedFleet();
    receiver = await startReceiver(({ nth, body, path }) => {
      const { number } = JSON.parse(body.toString()) as { number: number };
      if (path === SLOW_PATH) return { status: 200, delayMs: SLOW_MS };
      if (number % 10 === 0) return { status: 404 };
      return number % 10 === 1 && nth === 1 ? { status: 503 } : { status: 200 };
    });
    aggregator = await fleet.start('aggregator');
    const worker = await fleet.start('worker', WORKER);
    producer = await fleet.start('producer');
    await fleet.scraped();
    // Two halves with a scrape between them: a rate needs two samples.
    for (const half of [0, 1]) {
      const webhooks = Array.from({ length: 200 }, (_, number) => ({
        campaignId: 'watched',
        messageId: `m-${half}-${number}`,
        destination: { url: receiver.url, retry: { delaysMs: [50], jitter: 0 } },
        payload: { number },
      }));
      await enqueue(producer, webhooks);
      await eventually(async () => {
        const { messages } = await totalsOf(aggregator, 'watched');
        expect(messages).toMatchObject({ delivered: 180 * (half + 1), failed: 20 * (half + 1), pending: 0 });
      }, PROMPTLY);
      await eventually(async () => {
        const [counted] = await fleet.prometheus.query('sum(hookfleet_outcomes_counted_total)');
        // 200 first attempts, and 20 second ones.
        expect(counted?.value).toBe(220 * (half + 1));
      }, PROMPTLY);
    }
    for (const { url } of [aggregator, worker, producer]) {
      for (const [name, { type }] of parsePrometheus(await (await fetch(`${url}/metrics`)).text())) {
        names.add(name);
        if (type === 'histogram') for (const end of ['bucket', 'sum', 'count']) names.add(`${name}_${end}`);
      }
    }
    for (const { record } of records) names.add(record);
  }, 600_000);

  afterAll(async () => {
    await fleet.stop();
    await receiver.close();
  }, 60_000);

  test('every metric that a rule, the dashboard or the scaling names is one that the fleet has', () => {
    const texts = [...queries.map(([, expression]) => expression), ...alerts.map(({ expr }) => expr)];
    const named = new Set(
      texts.flatMap((text) => text.match(/\b(?:hookfleet|process|nodejs)[_:][\w:]*/g) ?? []),
    );
    expect(named.size).toBeGreaterThan(20);
    expect([...named].filter((name) => !names.has(name))).toEqual([]);
  });

  test.each(queries)(
    '%s returns data: %s',
    async (_of, expression) => {
      await eventually(async () => {
        const series = await fleet.prometheus.query(expression);
        expect(series.length).toBeGreaterThan(0);
        expect(series.some(({ value }) => Number.isFinite(value))).toBe(true);
      }, PATIENTLY);
    },
    180_000,
  );

  test('the rules run without error, and no alert fires', async () => {
    // A scrape that a busy machine holds up for more than a second counts as a process that is down, until the next one.
    await eventually(async () => {
      const { groups } = (await fleet.prometheus.api('rules')) as Parsed;
      const evaluated = groups.flatMap((group: Parsed) => group.rules);
      expect(evaluated.length).toBe(rules.length);
      expect(evaluated.filter(({ health }: Parsed) => health !== 'ok')).toEqual([]);
      const firing = evaluated.filter(({ state }: Parsed) => state === 'firing' || state === 'pending');
      expect(firing.map(({ name }: Parsed) => name)).toEqual([]);
    }, PATIENTLY);
  }, 180_000);

  test('the counters in Prometheus are what happened', async () => {
    const valueIn = async (expression: string) => (await fleet.prometheus.query(expression))[0]?.value;
    // Each process is scraped at a time of its own.
    await eventually(async () => {
      expect(await valueIn('sum(hookfleet_webhooks_enqueued_total)')).toBe(400);
      expect(await valueIn('sum(hookfleet_attempts_total{reason="http_5xx"})')).toBe(
        receiver.count(({ did }) => did === 503),
      );
      expect(await valueIn('sum(hookfleet_dead_letters_total)')).toBe(
        receiver.count(({ did }) => did === 404),
      );
      expect(await valueIn('hookfleet:workers')).toBe(1);
    }, PATIENTLY);
  }, 180_000);

  // The last of this fleet's tests: it changes what the others read.
  test('more load than a worker can take asks for a second one, which takes its share, and nothing is lost', async () => {
    let sent = 0;
    const send = async (count: number) => {
      const webhooks = Array.from({ length: count }, (_, i) => ({
        campaignId: 'scaled',
        messageId: `m-${sent + i}`,
        destination: { url: receiver.url + SLOW_PATH },
        payload: { number: sent + i },
      }));
      sent += count;
      await enqueue(producer, webhooks);
    };
    // The load goes on until what is waited for has come, however slow the machine is.
    await send(150);
    await eventually(async () => {
      await send(10);
      expect(await desiredWorkers(fleet.prometheus, 1)).toBeGreaterThan(1);
    }, PATIENTLY);
    const second = await fleet.start('worker', WORKER);
    await eventually(async () => {
      await send(10);
      const families = parsePrometheus(await (await fetch(`${second.url}/metrics`)).text());
      expect(sampleValue(families, 'hookfleet_in_flight')).toBeGreaterThan(0);
    }, PATIENTLY);
    await eventually(async () => {
      const { messages, events } = await totalsOf(aggregator, 'scaled');
      expect(messages).toMatchObject({ accepted: sent, delivered: sent, failed: 0, pending: 0 });
      expect(events['webhook.delivered']).toBe(sent);
    }, PATIENTLY);
    const arrived = receiver.ledger.filter(({ request }) => request.path === SLOW_PATH);
    expect(arrived.length).toBe(sent);
    expect(new Set(arrived.map(({ request }) => request.webhookId)).size).toBe(sent);
  }, 300_000);
});

test("in Kubernetes, a pod's labels make the names of the jobs that the rules use", async () => {
  // Debian's Prometheus knows no Kubernetes: what its discovery would tell of each pod is written down instead.
  const [
    {
      scrape_configs: [job],
    },
  ] = documentsOf('prometheus/kubernetes.yaml');
  const { kubernetes_sd_configs: _discovery, ...kept } = job;
  const pods = APPLICATIONS.flatMap((application) =>
    documentsOf(`kubernetes/base/${application}.yaml`)
      .filter(({ kind }) => kind === 'Deployment')
      .map(({ spec: { template } }) => ({ template, phase: 'Running' })),
  );
  const ended = { ...pods[0], phase: 'Succeeded' } as Parsed;
  const foreign = { phase: 'Running', template: { metadata: { labels: {} }, spec: pods[0]?.template.spec } };
  const static_configs = [...pods, ended, foreign].map(({ template, phase }: Parsed, i) => ({
    targets: [`127.0.0.1:${i + 1}`],
    labels: {
      __meta_kubernetes_pod_name: `pod-${i}`,
      __meta_kubernetes_pod_phase: phase,
      __meta_kubernetes_pod_container_port_name: template.spec.containers[0].ports[0].name,
      ...Object.fromEntries(
        Object.entries(template.metadata.labels).map(([name, value]) => [
          `__meta_kubernetes_pod_label_${name.replaceAll(/[./-]/g, '_')}`,
          value,
        ]),
      ),
    },
  }));
  const directory = await mkdtemp(join(tmpdir(), 'hookfleet-relabel-'));
  const file = join(directory, 'prometheus.yaml');
  await writeFile(file, stringify({ scrape_configs: [{ ...kept, static_configs }] }));
  const told = await promtool('check', 'config', file);
  expect(told).toContain('SUCCESS');
  const labels = JSON.parse(
    await promtool('check', 'service-discovery', '--timeout=2s', file, job.job_name),
  ) as Parsed[];
  const scraped = labels.filter(({ labels: after }) => Object.keys(after ?? {}).length > 0);
  // In no order.
  expect(scraped.map(({ labels: { job: name, pod } }) => `${pod} ${name}`).sort()).toEqual(
    APPLICATIONS.map((name, i) => `pod-${i} hookfleet-${name}`),
  );
  await rm(directory, { recursive: true });
}, 60_000);
