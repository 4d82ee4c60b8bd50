/**
 * The dashboard in a real browser, over the real fleet: a campaign that partly fails is watched, its numbers held
 * against the API, its failures replayed; by keyboard, on a phone, in the dark, and without anything from elsewhere.
 * Screenshots are left in .hookfleet/screenshots, for people to look at.
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { CampaignTotals } from '@hookfleet/contract';
import { type Answer, eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { startChromium } from './chromium.ts';
import { type ProcessUnderTest, startApplication } from './fleet-under-test.ts';

const OPERATOR_KEY = 'a-key-of-an-operator';
const VIEWER_KEY = 'a-key-of-a-viewer';
const AUTHORIZATION = { authorization: `Bearer ${OPERATOR_KEY}` };
const SCREENSHOTS = fileURLToPath(new URL('../../../.hookfleet/screenshots/', import.meta.url));
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 780 };

const CAMPAIGN = 'spring-sale';
// An id is other people's input, and may look like anything.
const HOSTILE = '<img/src=x/onerror=document.title="pwned">';
const WEBHOOKS = 400;
const FAILING = 40;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let fleet: { producer: ProcessUnderTest; worker: ProcessUnderTest; aggregator: ProcessUnderTest };
let browser: Browser;
let isMended = false;

// A browser beside a fleet on a machine that others use too.
jest.setTimeout(90_000);

beforeAll(async () => {
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
});

afterAll(async () => {
  await browser?.close();
  await Promise.all(Object.values(fleet ?? {}).map((one) => one.stop()));
  await receiver?.close();
  await redis?.stop();
});

/** The first of a run fail: some for good, some once. */
function answer({ body, nth }: { body: Buffer; nth: number }): Answer {
  const { number } = JSON.parse(String(body)) as { number: number };
  if (isMended || number >= FAILING) return { status: 200 };
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

const startSending = () =>
  produce('POST', '/v1/webhooks/bulk', {
    webhooks: webhooks(CAMPAIGN, WEBHOOKS, (i) => ({
      messageId: ['welcome', 'reminder', 'last-call'][i % 3],
      channelConfigId: i % 2 === 0 ? 'crm' : 'loyalty',
    })),
  });

async function totals(): Promise<CampaignTotals> {
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

async function visit(options: Parameters<Browser['newContext']>[0] = {}, key = OPERATOR_KEY): Promise<Visit> {
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

async function open(page: Page, campaignId: string): Promise<void> {
  await page.getByRole('link', { name: campaignId, exact: true }).click();
  await page.getByRole('heading', { level: 1, name: campaignId }).waitFor();
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Violations of WCAG 2.2 AA and of good practice, as axe finds them. Evaluated past the page's policy. */
async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
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

const screenshot = (page: Page, name: string, fullPage = true) =>
  page.screenshot({ path: `${SCREENSHOTS}${name}.png`, fullPage });

test('a wrong key does not sign in, and says so', async () => {
  const context = await browser.newContext({ viewport: DESKTOP });
  const page = await context.newPage();
  await page.goto(fleet.aggregator.url);
  await page.getByLabel('API key').fill('a-key-of-nobody-at-all');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: 'none of the API keys' }).waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await context.close();
});

test('a campaign is watched as it grows, and shows what the API says; a replay says what it will do, and does it', async () => {
  const { context, page, faults } = await visit();
  await open(page, CAMPAIGN);
  const tile = (name: string) => page.locator(`.tile.${name} strong`);
  await eventually(async () => expect(await tile('accepted').textContent()).toBe(String(WEBHOOKS)));
  // Without a reload: what is sent now arrives by itself.
  await startSending();
  await eventually(async () => expect(await tile('accepted').textContent()).toBe(String(2 * WEBHOOKS)));
  await eventually(async () => expect(await tile('pending').textContent()).toBe('0'));

  const { events, messages, reasons } = await totals();
  for (const name of ['accepted', 'delivered', 'failed', 'pending', 'cancelled'] as const)
    expect(await tile(name).textContent()).toBe(String(messages[name]));
  expect(messages.failed).toBe(FAILING * 1.5);
  const legend = (label: string) =>
    page.locator('.legend li').filter({ has: page.getByText(label, { exact: true }) });
  await eventually(async () => {
    for (const [label, event] of [
      ['Delivered', 'webhook.delivered'],
      ['Bounced', 'webhook.bounced'],
      ['Error', 'webhook.error'],
    ] as const)
      expect(await legend(label).textContent()).toContain(`${label} ${events[event]}`);
  });
  for (const [reason, label] of [
    ['http_4xx', '4xx answers'],
    ['http_5xx', '5xx answers'],
  ] as const)
    expect(await page.locator('.bars li').filter({ hasText: label }).locator('.count').textContent()).toBe(
      String(reasons[reason]),
    );

  await page.getByText('The numbers as a table').click();
  const sums = await page.locator('tr.sum td').allTextContents();
  expect(sums.map(Number)).toEqual(
    ['webhook.delivered', 'webhook.bounced', 'webhook.error'].map((event) => events[event]),
  );
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download CSV' }).click(),
  ]);
  const csv = readFileSync(await file.path(), 'utf8');
  const deliveredInCsv = csv
    .trim()
    .split('\r\n')
    .slice(1)
    .reduce((sum, line) => sum + Number(line.split(',')[1]), 0);
  expect(deliveredInCsv).toBe(events['webhook.delivered']);

  const excerpt = page.locator('td details').first();
  await excerpt.locator('summary').click();
  expect(await excerpt.locator('pre').textContent()).toContain('<b>recipient</b> unknown');
  expect(await violationsOf(page)).toEqual([]);
  await screenshot(page, 'failures-light');

  isMended = true;
  await page.getByRole('button', { name: 'Replay …' }).click();
  const dialog = page.getByRole('dialog', { name: 'Replay failures' });
  await dialog.getByText(`Delivers ${messages.failed} webhooks again, 50 a second`).waitFor();
  expect(await dialog.locator('li').allTextContents()).toEqual(
    expect.arrayContaining([expect.stringMatching(/^\d+ to channel (crm|loyalty)$/)]),
  );
  await dialog.getByLabel('Pace').selectOption('1000');
  await dialog.getByText('1,000 a second').last().waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await screenshot(page, 'replay-light', false);
  await dialog.getByRole('button', { name: `Replay ${messages.failed} webhooks` }).click();
  await eventually(async () => expect(await tile('failed').textContent()).toBe('0'));
  await eventually(async () => expect((await totals()).messages).toMatchObject({ failed: 0, pending: 0 }));
  expect(await tile('delivered').textContent()).toBe(String(2 * WEBHOOKS));
  expect(faults).toEqual([]);
  await context.close();
});

test('dragging zooms into the graph, and the arrow keys read its values', async () => {
  const { context, page } = await visit();
  await open(page, CAMPAIGN);
  const plot = page.locator('.plot');
  const over = plot.locator('.u-over');
  await over.waitFor();
  await plot.focus();
  await page.keyboard.press('ArrowLeft');
  await eventually(async () =>
    expect(await page.locator('.readout').textContent()).toMatch(/Delivered [\d,]+/),
  );
  const before = await plot.getAttribute('aria-label');
  const box = await over.boundingBox();
  if (box === null) throw new Error('the graph has no size');
  await page.mouse.move(box.x + box.width * 0.2, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 5 });
  await page.mouse.up();
  await page.getByRole('button', { name: 'Zoomed: undo' }).waitFor();
  await eventually(async () => expect(await plot.getAttribute('aria-label')).not.toBe(before));
  await page.getByRole('button', { name: 'Zoomed: undo' }).click();
  await page.getByRole('button', { name: 'Rates' }).click();
  await eventually(async () =>
    expect(await page.locator('.legend').textContent()).toMatch(/Delivered [\d.]+%/),
  );
  for (const [group, found] of [
    ['messageId', 'reminder'],
    ['channelConfigId', 'loyalty'],
    ['reason', '4xx answers'],
  ] as const) {
    await page.getByRole('combobox', { name: 'By', exact: true }).selectOption(group);
    await page.locator('.legend').getByText(found, { exact: true }).waitFor();
  }
  await context.close();
});

test('all of it can be done by keyboard alone: the focus is seen, kept in dialogs, and given back', async () => {
  const { context, page } = await visit();
  const focused = () => page.evaluate<string>("document.activeElement?.textContent?.trim() ?? ''");
  // As who comes back: signed in, with nothing in focus.
  await page.reload();
  await page.getByRole('link', { name: CAMPAIGN, exact: true }).waitFor();
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Skip to the content');
  await page.keyboard.press('Enter');
  expect(await page.evaluate('document.activeElement?.id')).toBe('main');
  // From there: the search box, the columns' links, the campaigns.
  for (let i = 0; i < 30 && (await focused()) !== CAMPAIGN; i += 1) await page.keyboard.press('Tab');
  expect(await focused()).toBe(CAMPAIGN);
  expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: CAMPAIGN }).waitFor();
  await page.getByRole('button', { name: 'Cancel …' }).waitFor();
  for (let i = 0; i < 40 && (await focused()) !== 'Cancel …'; i += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Call the campaign off?' });
  await dialog.waitFor();
  for (let i = 0; i < 6; i += 1) {
    await page.keyboard.press('Tab');
    // Never on what lies behind it; the browser's own controls take their turn.
    expect(
      await page.evaluate(
        "document.activeElement === document.body || document.activeElement?.closest('dialog') !== null",
      ),
    ).toBe(true);
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  expect(await focused()).toBe('Cancel …');
  await context.close();
});

test('a campaign and a channel are held and let go; what a viewer signs in to has no such buttons', async () => {
  const { context, page } = await visit();
  await open(page, CAMPAIGN);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByText('The campaign is paused. Its webhooks wait.').waitFor();
  await page.getByRole('link', { name: 'Fleet', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Fleet' }).waitFor();
  const [lanes, happened] = ['Channels and lanes', 'What happened'].map((name) =>
    page.getByRole('region', { name }),
  ) as [Locator, Locator];
  await lanes
    .getByRole('row')
    .filter({ hasText: `Campaign ${CAMPAIGN}` })
    .getByText('Paused')
    .waitFor();
  await page.getByRole('button', { name: 'Pause Channel crm' }).click();
  await lanes.getByRole('row').filter({ hasText: 'Channel crm' }).getByText('by an operator').waitFor();
  // What was done stands among the fleet's events, the latest first.
  const latest = happened.getByRole('row').nth(1);
  await latest.filter({ hasText: 'Channel crm' }).getByText('Paused by an operator').waitFor();
  await page.locator('.tile').filter({ hasText: 'Workers' }).getByText('1', { exact: true }).waitFor();
  // The queues' first sample may be five seconds away.
  await page.getByRole('row').filter({ hasText: 'webhooks' }).last().waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await screenshot(page, 'fleet-light');

  const viewer = await visit({ colorScheme: 'dark' }, VIEWER_KEY);
  await viewer.page.getByRole('link', { name: 'Fleet', exact: true }).click();
  await viewer.page.getByText('by an operator').first().waitFor();
  expect(await viewer.page.getByRole('button', { name: /Pause|Resume/ }).count()).toBe(0);
  await screenshot(viewer.page, 'fleet-viewer');
  await viewer.context.close();

  await page.getByRole('button', { name: 'Resume Channel crm' }).click();
  await page.getByRole('button', { name: `Resume Campaign ${CAMPAIGN}` }).click();
  await eventually(async () => expect(await lanes.getByText('by an operator').count()).toBe(0));
  await context.close();
});

test('campaigns are searched and sorted, and their ids are text whatever they hold', async () => {
  const { context, page, faults } = await visit();
  await page.getByRole('link', { name: HOSTILE, exact: true }).waitFor();
  await page.getByLabel('Search by id').fill('SPRING');
  await eventually(async () => expect(await page.locator('tbody th').allTextContents()).toEqual([CAMPAIGN]));
  await page.getByLabel('Search by id').fill('');
  await page.getByRole('link', { name: 'Delivered' }).click();
  await eventually(async () =>
    expect(await page.locator('tbody th').allTextContents()).toEqual([CAMPAIGN, HOSTILE]),
  );
  expect(await page.locator('th[aria-sort]').textContent()).toContain('Delivered');
  expect(await violationsOf(page)).toEqual([]);
  await open(page, HOSTILE);
  await page.getByRole('combobox', { name: 'By', exact: true }).selectOption('messageId');
  await page.locator('.legend').getByText('=cmd()', { exact: true }).waitFor();
  expect(await page.title()).not.toBe('pwned');
  expect(await page.locator('img').count()).toBe(0);
  expect(faults).toEqual([]);
  await context.close();
});

test.each([
  ['light', 'light', DESKTOP],
  ['dark', 'dark', DESKTOP],
  ['phone', 'light', PHONE],
  ['phone-dark', 'dark', PHONE],
  ['wide', 'light', { width: 1920, height: 1080 }],
] as const)(
  '%s: every view fits, and passes the accessibility check',
  async (name, colorScheme, viewport) => {
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
  },
);

test('the page weighs under 150 kB, comes compressed, and runs nothing that is not its own', async () => {
  const { context, page } = await visit();
  const response = await page.goto(fleet.aggregator.url);
  const policy = response?.headers()['content-security-policy'] ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
  await page.getByRole('heading', { name: 'Campaigns' }).waitFor();
  const bytes = await page.evaluate<number[]>(
    `performance.getEntriesByType('resource').filter(({ name }) => !name.includes('/v1/')).map((one) => one.encodedBodySize)`,
  );
  expect(bytes.length).toBeGreaterThanOrEqual(2);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
  for (const size of bytes) expect(size).toBeGreaterThan(0);
  await context.close();
});
