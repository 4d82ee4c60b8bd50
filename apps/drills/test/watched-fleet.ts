/** A fleet of real processes and the real Prometheus that scrapes them, over a Redis of the test's own. */
import { renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  eventually,
  type StartedProcess,
  startProcess,
  startPrometheus,
  startTestRedis,
  type TestPrometheus,
} from '@hookfleet/testkit';
import { stringify } from 'yaml';
import { type Application, DOCKER } from './docker-files.ts';

export interface FleetProcess extends StartedProcess {
  readonly application: Application;
  readonly url: string;
}

export interface WatchedFleet {
  readonly redisUrl: string;
  readonly prometheus: TestPrometheus;
  /** Starts a process; Prometheus finds it by itself. */
  start(application: Application, environment?: Record<string, string>): Promise<FleetProcess>;
  /** Ends a process as SIGTERM does, and takes it out of what is scraped. */
  end(process: FleetProcess): Promise<void>;
  /** Resolves when Prometheus has scraped every process that runs. */
  scraped(): Promise<void>;
  stop(): Promise<void>;
}

// A second between scrapes: the alerts' times are tested by promtool, on a clock of its own.
const SCRAPE_INTERVAL = '1s';
// A guard against hanging alone.
const SCRAPED_WITHIN = { timeoutMs: 120_000 };

export async function startWatchedFleet(): Promise<WatchedFleet> {
  const redis = await startTestRedis();
  const directory = await mkdtemp(join(tmpdir(), 'hookfleet-watched-'));
  const running = new Set<FleetProcess>();

  /**
   * Renamed into place: Prometheus watches the file, and must not read half of it. In one go: of processes that start at
   * the same time, each would rename what another has renamed already.
   */
  function tellTargets(): void {
    const groups = [...running].map(({ application, url }) => ({
      targets: [new URL(url).host],
      labels: { job: `hookfleet-${application}` },
    }));
    writeFileSync(join(directory, 'targets.new'), JSON.stringify(groups));
    renameSync(join(directory, 'targets.new'), join(directory, 'targets.json'));
  }

  tellTargets();
  const config = join(directory, 'prometheus.yaml');
  await writeFile(
    config,
    stringify({
      global: { scrape_interval: SCRAPE_INTERVAL, evaluation_interval: SCRAPE_INTERVAL },
      rule_files: [`${DOCKER}prometheus/rules/*.yaml`],
      scrape_configs: [
        {
          job_name: 'hookfleet',
          file_sd_configs: [{ files: [join(directory, 'targets.json')], refresh_interval: '1s' }],
        },
      ],
    }),
  );
  const prometheus = await startPrometheus(config);

  return {
    redisUrl: redis.url,
    prometheus,
    async start(application, environment = {}) {
      const process = await startFleetProcess(application, redis.url, environment);
      running.add(process);
      tellTargets();
      return process;
    },
    async end(process) {
      running.delete(process);
      tellTargets();
      await process.stop();
    },
    async scraped() {
      await eventually(async () => {
        const up = await prometheus.query('up == 1');
        const missing = [...running].filter(
          ({ url }) => !up.some(({ metric }) => metric['instance'] === new URL(url).host),
        );
        if (missing.length > 0) throw new Error(`not scraped: ${missing.map(({ url }) => url).join()}`);
      }, SCRAPED_WITHIN);
    },
    async stop() {
      await prometheus.stop();
      await Promise.all([...running].map((one) => one.stop()));
      await redis.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function startFleetProcess(
  application: Application,
  redisUrl: string,
  environment: Record<string, string> = {},
): Promise<FleetProcess> {
  const entry = fileURLToPath(new URL(`../../${application}/src/main.ts`, import.meta.url));
  const started = startProcess(entry, {
    REDIS_URL: redisUrl,
    PORT: '0',
    ...(application === 'worker' && { HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8' }),
    ...environment,
  });
  const log = await started.waitForLog(({ msg }) => msg === `${application}.started`);
  return { ...started, application, url: String(log['url']) };
}

export async function enqueue(
  producer: FleetProcess,
  webhooks: readonly Record<string, unknown>[],
): Promise<string[]> {
  const response = await fetch(`${producer.url}/v1/webhooks/bulk`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ webhooks }),
  });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  return ((await response.json()) as { ids: string[] }).ids;
}

export async function totalsOf(aggregator: FleetProcess, campaignId: string) {
  const response = await fetch(`${aggregator.url}/v1/campaigns/${campaignId}`);
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as {
    events: Record<string, number>;
    messages: Record<'accepted' | 'delivered' | 'failed' | 'pending', number>;
  };
}
