/**
 * The dashboard in a real browser, over a real fleet that delivers a campaign which partly fails. Screenshots are left in
 * .hookfleet/screenshots, for people to look at.
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { CampaignTotals } from '@hookfleet/contract';
import { type Answer, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startChromium } from './chromium.ts';
import { type ProcessUnderTest, startApplication } from './fleet-under-test.ts';

const OPERATOR_KEY = 'a-key-of-an-operator';
export const VIEWER_KEY = 'a-key-of-a-viewer';
const AUTHORIZATION = { authorization: `Bearer ${OPERATOR_KEY}` };
const SCREENSHOTS = fileURLToPath(new URL('../../../.hookfleet/screenshots/', import.meta.url));
export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 780 };

export const CAMPAIGN = 'spring-sale';
// An id is other people's input, and may look like anything.
export const HOSTILE = '<img/src=x/onerror=document.title="pwned">';
export const WEBHOOKS = 400;
export const FAILING = 40;
// What is sent with it fails, also after fixDestination().
const HOPELESS = -1;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let fleet: { producer: ProcessUnderTest; worker: ProcessUnderTest; aggregator: ProcessUnderTest };
let browser: Browser;
let isFixed = false;

/** From now on the destination accepts everything. */
export function fixDestination(): void {
  isFixed = true;
}

/** Redis answers nothing until it is resumed; its connections stay. */
export const suspendRedis = () => redis.suspend();
export const resumeRedis = () => redis.resume();
export const dashboardUrl = () => fleet.aggregator.url;
export const newContext = () => browser.newContext({ viewport: DESKTOP });

/** Starts all of it before the tests of a file, and stops it after them. */
export function useDashboard(): void {
  // A browser beside a fleet on a machine that others use too.
  jest.setTimeout(120_000);
  beforeAll(start, 120_000);
  afterAll(async () => {
    await browser?.close();
    await Promise.all(Object.values(fleet ?? {}).map((one) => one.stop()));
    await receiver?.close();
    await redis?.stop();
  }, 60_000);
}

async function start(): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true });
  redis = await startTestRedis();
  receiver = await startReceiver(answer);
  const keys = { HOOKFLEET_API_KEYS: `${OPERATOR_KEY},read:${VIEWER_KEY}` };
  const [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url, keys),
    startApplication('worker', redis.url, keys),
    startApplication('aggregator', redis.url, keys),
  ]);
  fleet = { producer, worker, aggregator };
  browser = await startChromium();
  for (const id of ['crm', 'loyalty'])
    await produce('PUT', `/v1/channels/${id}`, { url: receiver.url, retry: { delaysMs: [50], jitter: 0 } });
  await produce('POST', '/v1/webhooks/bulk', {
    webhooks: webhooks(HOSTILE, 10, () => ({ messageId: '=cmd()', channelConfigId: 'loyalty' })),
  });
  await startSending();
}

/** The first of a run fail: some for good, some once. */
function answer({ body, nth }: { body: Buffer; nth: number }): Answer {
  const { number } = JSON.parse(String(body)) as { number: number };
  if (number === HOPELESS) return { status: 422, body: `{"error":"${'no such recipient; '.repeat(20)}"}` };
  if (isFixed || number >= FAILING) return { status: 200 };
  if (number % 4 === 0) return nth === 1 ? { status: 503, body: 'later' } : { status: 200 };
  return { status: 422, body: '{"error":"<b>recipient</b> unknown","field":"email"}' };
}

function webhooks(campaignId: string, count: number, more: (i: number) => object) {
  return Array.from({ length: count }, (_, i) => ({ campaignId, payload: { number: i }, ...more(i) }));
}

async function produce(method: string, path: string, body: object): Promise<void> {
  const response = await fetch(`${fleet.producer.url}${path}`, {
    method,
    headers: { ...AUTHORIZATION, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBeLessThan(300);
}

export const startSending = () =>
  produce('POST', '/v1/webhooks/bulk', {
    webhooks: webhooks(CAMPAIGN, WEBHOOKS, (i) => ({
      messageId: ['welcome', 'reminder', 'last-call'][i % 3],
      channelConfigId: i % 2 === 0 ? 'crm' : 'loyalty',
    })),
  });

/** Webhooks with long names that all fail. */
export const sendFailing = (campaignId: string, count: number) =>
  produce('POST', '/v1/webhooks/bulk', {
    webhooks: webhooks(campaignId, count, () => ({
      messageId: 'a-message-with-a-name-that-is-as-long-as-they-are-in-practice',
      channelConfigId: 'loyalty',
      payload: { number: HOPELESS },
    })),
  });

export async function totals(): Promise<CampaignTotals> {
  const response = await fetch(`${fleet.aggregator.url}/v1/campaigns/${CAMPAIGN}`, {
    headers: AUTHORIZATION,
  });
  return (await response.json()) as CampaignTotals;
}

interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What went wrong in the page: errors, refusals of the content security policy, requests of other hosts. */
  readonly faults: string[];
}

export async function visit(
  options: Parameters<Browser['newContext']>[0] = {},
  key = OPERATOR_KEY,
): Promise<Visit> {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // That nobody is signed in yet is asked for, and answered with 401.
    if (message.type() === 'error' && !message.text().includes('401')) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(fleet.aggregator.url) && !request.url().startsWith('blob:'))
      faults.push(request.url());
  });
  await page.goto(fleet.aggregator.url);
  await page.getByLabel('API key').fill(key);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Campaigns' }).waitFor();
  return { context, page, faults };
}

export async function open(page: Page, campaignId: string): Promise<void> {
  await page.getByRole('link', { name: campaignId, exact: true }).click();
  await page.getByRole('heading', { level: 1, name: campaignId }).waitFor();
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Violations of WCAG 2.2 AA and of good practice, as axe finds them. Evaluated past the page's policy. */
export async function violationsOf(page: Page): Promise<string[]> {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(AXE);
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
  );
  return violations.map(
    ({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
  );
}

interface AxeResults {
  readonly violations: { id: string; impact: string; nodes: { html: string }[] }[];
}

export const screenshot = (page: Page, name: string, fullPage = true) =>
  page.screenshot({ path: `${SCREENSHOTS}${name}.png`, fullPage });

/** Campaigns, a campaign and the fleet: each fits the window, and passes the accessibility check. */
export async function checkViews(
  name: string,
  colorScheme: 'light' | 'dark',
  viewport: { width: number; height: number },
): Promise<void> {
  const { context, page, faults } = await visit({ colorScheme, viewport });
  const check = async (view: string) => {
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
    expect(await violationsOf(page)).toEqual([]);
    await screenshot(page, `${view}-${name}`);
  };
  await page.getByRole('link', { name: CAMPAIGN, exact: true }).waitFor();
  await check('campaigns');
  await open(page, CAMPAIGN);
  await page.locator('.u-over').waitFor();
  await page.getByRole('button', { name: '1 hour' }).click();
  await page.locator('.legend li').first().waitFor();
  await check('campaign');
  await page.getByRole('link', { name: 'Fleet', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Fleet' }).waitFor();
  await page.locator('.tile').first().waitFor();
  await check('fleet');
  expect(faults).toEqual([]);
  await context.close();
}
