/**
 * `hookfleet demo`: the fleet, a receiver that behaves as real destinations do, and a sample campaign; at the end
 * what the receiver answered beside what the campaign's counters say.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { CampaignTotals } from '@hookfleet/contract';
import { parseApiKeys, ROLES } from '@hookfleet/runtime';
import { type Fleet, startFleet } from './fleet.ts';
import { type SampleCampaign, sendCampaign } from './sample-campaign.ts';
import { type Counts, type SampleReceiver, startSampleReceiver } from './sample-receiver.ts';
import { describeFleet, untilStopped, write, writeProgress } from './terminal.ts';

export interface DemoOptions {
  readonly workers: number;
  readonly webhooks?: number;
  readonly short: boolean;
  readonly exit: boolean;
  readonly json: boolean;
}

const WEBHOOKS = 10_000;
const WEBHOOKS_SHORT = 1_000;
const DIRECTORY = '.hookfleet/demo';
const POLL_INTERVAL_MS = 250;
// Nothing counted for so long means that something is lost: the table then shows what.
const GIVE_UP_AFTER_MS = 60_000;

/** Resolves to the exit status: 0, or 1 where the columns differ or the fleet broke. */
export async function demo(options: DemoOptions, environment: NodeJS.ProcessEnv): Promise<number> {
  const directory = resolve(DIRECTORY);
  const receiver = await startSampleReceiver();
  write('hookfleet demo');
  const fleet = await startFleet({
    directory,
    workers: options.workers,
    environment: allowLoopback(environment),
    onStarted: (what, where) => write(`  ${what.padEnd(12)} ${where}`),
  });
  write(`  ${'receiver'.padEnd(12)} ${receiver.url}`);
  try {
    const { agree, result } = await runCampaign(fleet, receiver, options, keyOf(environment));
    let status = agree ? 0 : 1;
    if (!options.exit) {
      // Signals are handled before anybody reads how to stop it.
      const stopped = untilStopped(fleet);
      write(describeFleet(fleet));
      write(`\n  Try it:\n${curlOf(fleet, receiver, keyOf(environment))}\n`);
      if ((await stopped) !== undefined) status = 1;
    }
    await fleet.stop();
    if (options.json) write(JSON.stringify(result));
    return status;
  } finally {
    await fleet.stop();
    await receiver.close();
    await rm(resolve(directory, 'redis'), { recursive: true, force: true });
  }
}

async function runCampaign(
  fleet: Fleet,
  receiver: SampleReceiver,
  options: DemoOptions,
  key: string | undefined,
) {
  const campaign: SampleCampaign = {
    campaignId: `sample-${randomBytes(4).toString('hex')}`,
    channelConfigId: 'sample-receiver',
    webhooks: options.webhooks ?? (options.short ? WEBHOOKS_SHORT : WEBHOOKS),
  };
  write(`\n  campaign ${campaign.campaignId}: ${campaign.webhooks} webhooks of @octokit/webhooks-examples`);
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const startedAt = performance.now();
  let accepted = 0;
  const sending = sendCampaign(campaign, {
    producerUrl: fleet.producerUrl,
    headers,
    receiverUrl: receiver.url,
    onAccepted: (webhooks) => {
      accepted += webhooks;
    },
  });
  const [totals] = await Promise.all([
    untilEnded(fleet, campaign, headers, (so) =>
      writeProgress(progressOf(campaign, accepted, so, startedAt)),
    ),
    sending,
  ]);
  writeProgress('');
  const seconds = Math.round(performance.now() - startedAt) / 1_000;
  const counters = toCounts(totals);
  const received = receiver.counts();
  const agree =
    totals?.messages.accepted === campaign.webhooks &&
    totals.messages.pending === 0 &&
    (Object.keys(received) as (keyof Counts)[]).every((name) => received[name] === counters[name]);
  write(tableOf(received, counters));
  const perSecond = Math.round(campaign.webhooks / seconds);
  write(`\n  ${campaign.webhooks} webhooks in ${seconds} s, ${perSecond} a second, retries included.`);
  write(
    agree
      ? '  The columns agree.'
      : `  THE COLUMNS DIFFER, or webhooks are pending: ${JSON.stringify(totals?.messages)}`,
  );
  return { agree, result: { webhooks: campaign.webhooks, seconds, agree, receiver: received, counters } };
}

/** Polls the campaign until every webhook has ended, or nothing has moved for long. */
async function untilEnded(
  fleet: Fleet,
  { campaignId, webhooks }: SampleCampaign,
  headers: Readonly<Record<string, string>>,
  onProgress: (totals: CampaignTotals | undefined) => void,
): Promise<CampaignTotals | undefined> {
  let broken: string | undefined;
  void fleet.broken.then((what) => {
    broken = what;
  });
  let last = '';
  let movedAt = performance.now();
  for (;;) {
    const totals = await totalsOf(fleet, campaignId, headers);
    onProgress(totals);
    const text = JSON.stringify(totals);
    if (text !== last) movedAt = performance.now();
    last = text;
    if (totals !== undefined && totals.messages.delivered + totals.messages.failed >= webhooks) return totals;
    if (broken !== undefined) throw new Error(`${broken}; its log is in ${fleet.logDirectory}`);
    if (performance.now() - movedAt > GIVE_UP_AFTER_MS) return totals;
    await new Promise((done) => setTimeout(done, POLL_INTERVAL_MS));
  }
}

async function totalsOf(
  fleet: Fleet,
  campaignId: string,
  headers: Readonly<Record<string, string>>,
): Promise<CampaignTotals | undefined> {
  const response = await fetch(`${fleet.aggregatorUrl}/v1/campaigns/${campaignId}`, { headers });
  const body = await response.json();
  return response.ok ? (body as CampaignTotals) : undefined;
}

function toCounts(totals: CampaignTotals | undefined): Counts {
  const { events = {}, reasons = {}, messages } = totals ?? {};
  return {
    'webhook.delivered': events['webhook.delivered'] ?? 0,
    'webhook.bounced': events['webhook.bounced'] ?? 0,
    'webhook.error': events['webhook.error'] ?? 0,
    http_5xx: reasons['http_5xx'] ?? 0,
    http_4xx: reasons['http_4xx'] ?? 0,
    timeout: reasons['timeout'] ?? 0,
    connection: reasons['connection'] ?? 0,
    'messages.delivered': messages?.delivered ?? 0,
    'messages.failed': messages?.failed ?? 0,
  };
}

const ROWS: Readonly<Record<keyof Counts, string>> = {
  'webhook.delivered': '2xx answers          webhook.delivered',
  'webhook.bounced': '5xx or no answer     webhook.bounced',
  http_5xx: '  5xx answers          http_5xx',
  timeout: '  never answered       timeout',
  connection: '  connection reset     connection',
  'webhook.error': '4xx answers          webhook.error',
  http_4xx: '  4xx answers          http_4xx',
  'messages.delivered': 'webhooks that got a 2xx in the end',
  'messages.failed': 'webhooks that never got one',
};

function tableOf(received: Counts, counters: Counts): string {
  const line = (what: string, left: string, right: string, mark = '') =>
    `  ${what.padEnd(42)}${left.padStart(10)}${right.padStart(12)}${mark}`;
  const rows = (Object.keys(ROWS) as (keyof Counts)[]).map((name) =>
    line(
      ROWS[name],
      String(received[name]),
      String(counters[name]),
      received[name] === counters[name] ? '' : '  ≠',
    ),
  );
  return ['', line('', 'receiver', 'counters'), ...rows].join('\n');
}

function progressOf(
  { webhooks }: SampleCampaign,
  accepted: number,
  totals: CampaignTotals | undefined,
  startedAt: number,
): string {
  const { delivered = 0, failed = 0 } = totals?.messages ?? {};
  const seconds = Math.max(0.001, (performance.now() - startedAt) / 1_000);
  const perSecond = Math.round((delivered + failed) / seconds);
  return `  accepted ${accepted}/${webhooks}   delivered ${delivered}   failed ${failed}   ${perSecond}/s`;
}

function curlOf(
  { producerUrl, aggregatorUrl }: Fleet,
  { url }: SampleReceiver,
  key: string | undefined,
): string {
  const body = JSON.stringify({
    campaignId: 'mine',
    messageId: 'first',
    destination: { url },
    payload: { hello: 'world' },
  });
  const auth = key === undefined ? '' : " -H 'authorization: Bearer <key>'";
  return [
    `    curl -s${auth} ${producerUrl}/v1/webhooks -H 'content-type: application/json' -d '${body}'`,
    `    curl -s${auth} ${aggregatorUrl}/v1/campaigns/mine`,
  ].join('\n');
}

/** The receiver is on this machine, which webhooks may not reach unless the operator says so. */
function allowLoopback(environment: NodeJS.ProcessEnv): Record<string, string | undefined> {
  const given = environment['HOOKFLEET_EGRESS_ALLOW'];
  return { ...environment, HOOKFLEET_EGRESS_ALLOW: [given, '127.0.0.0/8'].filter(Boolean).join(',') };
}

function keyOf(environment: NodeJS.ProcessEnv): string | undefined {
  const [first] = parseApiKeys(environment['HOOKFLEET_API_KEYS'] ?? '');
  return first?.roles.length === ROLES.length ? first.key : undefined;
}
