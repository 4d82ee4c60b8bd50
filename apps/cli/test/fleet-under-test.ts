/** The fleet's real processes over a Redis of the test's own, told to recover fast. */
import { fileURLToPath } from 'node:url';
import type { CampaignTotals } from '@hookfleet/contract';
import { type StartedProcess, startProcess, startTestRedis } from '@hookfleet/testkit';

export type Application = 'producer' | 'worker' | 'aggregator';

export interface ProcessUnderTest extends StartedProcess {
  readonly url: string;
}

const RECOVERY = {
  HOOKFLEET_ATTEMPT_TIMEOUT: '2s',
  HOOKFLEET_LOCK_DURATION: '3s',
  HOOKFLEET_STALLED_INTERVAL: '500ms',
};

export async function startApplication(
  application: Application,
  redisUrl: string,
  environment: Record<string, string> = {},
  options: { readonly isBuilt?: boolean } = {},
): Promise<ProcessUnderTest> {
  const entry = fileURLToPath(new URL(`../../${application}/src/main.ts`, import.meta.url));
  const variables = {
    ...(application === 'producer' ? {} : RECOVERY),
    ...(application === 'worker' && { HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8' }),
    REDIS_URL: redisUrl,
    PORT: '0',
    ...environment,
  };
  const started = startProcess(entry, variables, options);
  const log = await started.waitForLog(({ msg }) => msg === `${application}.started`);
  return { ...started, url: String(log['url']) };
}

export interface FleetUnderTest extends Readonly<Record<Application, ProcessUnderTest>> {
  readonly redisUrl: string;
  /** As SIGTERM does; then its Redis. */
  stop(): Promise<void>;
}

/** One of each, over a Redis of their own. `environment`: of all three. */
export async function startFleet(environment: Record<string, string> = {}): Promise<FleetUnderTest> {
  const redis = await startTestRedis();
  const [producer, worker, aggregator] = (await Promise.all(
    (['producer', 'worker', 'aggregator'] as const).map((one) =>
      startApplication(one, redis.url, environment),
    ),
  )) as [ProcessUnderTest, ProcessUnderTest, ProcessUnderTest];
  return {
    redisUrl: redis.url,
    producer,
    worker,
    aggregator,
    async stop() {
      await Promise.all([producer.stop(), worker.stop(), aggregator.stop()]);
      await redis.stop();
    },
  };
}

export async function enqueue(
  producer: ProcessUnderTest,
  webhooks: readonly Record<string, unknown>[],
): Promise<Response> {
  return fetch(`${producer.url}/v1/webhooks/bulk`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ webhooks }),
  });
}

export async function accepted(response: Response): Promise<string[]> {
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  return ((await response.json()) as { ids: string[] }).ids;
}

export async function totalsOf(aggregator: ProcessUnderTest, campaignId: string): Promise<CampaignTotals> {
  const response = await fetch(`${aggregator.url}/v1/campaigns/${campaignId}`);
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as CampaignTotals;
}

export function webhooksTo(url: string, campaignId: string, count: number, destination: object = {}) {
  return Array.from({ length: count }, (_, i) => ({
    campaignId,
    messageId: `message-${i}`,
    destination: { url, ...destination },
    payload: { number: i },
  }));
}
