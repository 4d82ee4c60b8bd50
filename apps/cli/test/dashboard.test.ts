/**
 * The dashboard in a real browser: a campaign that partly fails is watched, its numbers are those of the API, its
 * failures are replayed; by keyboard, on a phone, in the dark, and without anything from other hosts.
 * Takes about 38 s.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { eventually } from '@hookfleet/testkit';
import type { Locator } from 'playwright-core';
import {
  CAMPAIGN,
  checkViews,
  DESKTOP,
  dashboardUrl,
  FAILING,
  fixDestination,
  HOSTILE,
  newContext,
  open,
  PHONE,
  resumeRedis,
  screenshot,
  sendFailing,
  startSending,
  suspendRedis,
  totals,
  useDashboard,
  VIEWER_KEY,
  violationsOf,
  visit,
  WEBHOOKS,
} from './dashboard-under-test.ts';

useDashboard();

test('a wrong key does not sign in, and says so', async () => {
  const context = await newContext();
  const page = await context.newPage();
  await page.goto(dashboardUrl());
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
  const [header = [], ...steps] = readFileSync(await file.path(), 'utf8')
    .trim()
    .split('\r\n')
    .map((line) => line.split(','));
  const delivered = header.indexOf('webhook.delivered');
  const deliveredInCsv = steps.reduce((sum, step) => sum + Number(step[delivered]), 0);
  expect(deliveredInCsv).toBe(events['webhook.delivered']);

  const excerpt = page.locator('td details').first();
  await excerpt.locator('summary').click();
  expect(await excerpt.locator('pre').textContent()).toContain('<b>recipient</b> unknown');
  expect(await violationsOf(page)).toEqual([]);
  await screenshot(page, 'failures-light');

  fixDestination();
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

test('failures stay where they are while others come, with the answer that is read; a filter shows none of another', async () => {
  await sendFailing('reading', 45);
  const { context, page } = await visit();
  await open(page, 'reading');
  const failures = page.getByRole('region', { name: 'Failures' });
  const rows = failures.locator('tbody tr');
  await eventually(async () => expect(await rows.count()).toBe(20));
  await failures.getByRole('button', { name: 'More' }).click();
  await eventually(async () => expect(await rows.count()).toBe(40));
  const read = rows.nth(39);
  const id = await read.locator('th').getAttribute('title');
  await read.locator('summary').click();
  await sendFailing('reading', 10);
  await page.locator('.tile.failed strong').getByText('55', { exact: true }).waitFor();
  await eventually(async () => expect(await rows.count()).toBeGreaterThanOrEqual(50));
  const still = rows.filter({ has: page.locator(`th[title="${id}"]`) });
  expect(await still.locator('details').getAttribute('open')).not.toBeNull();
  // The buttons are in sight, however long the names are.
  const box = await rows.first().getByRole('button').boundingBox();
  expect((box?.x ?? DESKTOP.width) + (box?.width ?? 0)).toBeLessThan(DESKTOP.width - 20);
  expect(await violationsOf(page)).toEqual([]);
  await screenshot(page, 'failures-long', false);
  // Before the answer comes, nothing of the other filter stands under this one.
  await page.route('**/failures?*', async (route) => {
    await route.abort();
  });
  await failures.getByLabel('Reason').selectOption('http_5xx');
  await failures.getByRole('alert').waitFor();
  expect(await rows.count()).toBe(0);
  await context.close();
});

test('while Redis hangs, a view that opens says that nothing can be shown, and goes on by itself', async () => {
  const { context, page } = await visit();
  await page.getByText('Live', { exact: true }).waitFor();
  suspendRedis();
  try {
    await page.getByRole('link', { name: 'Fleet', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'Nothing can be shown now' }).waitFor();
    expect(await page.getByRole('status').allTextContents()).not.toContain('Live');
    expect(await violationsOf(page)).toEqual([]);
    await screenshot(page, 'redis-hangs');
  } finally {
    resumeRedis();
  }
  await page.getByText('Live', { exact: true }).waitFor();
  await page.locator('.tile').first().waitFor();
  await context.close();
});

test('a session that ends while somebody looks asks for the key, and says why', async () => {
  const { context, page } = await visit();
  await page.evaluate(
    "fetch('v1/session', { method: 'DELETE', headers: { 'x-hookfleet-page': '1' } }).then(() => undefined)",
  );
  await page.getByRole('link', { name: 'Fleet', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await screenshot(page, 'session-ended', false);
  await context.close();
});

// The tests above check every view on a desktop, in light; release-check/dashboard-views.test.ts has the other looks.
test('every view fits on a phone in the dark, and passes the accessibility check', () =>
  checkViews('phone-dark', 'dark', PHONE));

test('the page weighs under 150 kB, comes compressed, and runs nothing that is not its own', async () => {
  const { context, page } = await visit();
  const response = await page.goto(dashboardUrl());
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

test('the page of the API works by the same policy, and loads nothing that is not its own', async () => {
  const { context, page, faults } = await visit();
  const policyOf = async (path: string) =>
    (await page.goto(`${dashboardUrl()}${path}`))?.headers()['content-security-policy'];
  const policy = await policyOf('/');
  expect(await policyOf('/docs/')).toBe(policy);
  // A call with a choice in it.
  await page.getByText('/v1/campaigns', { exact: true }).first().click();
  await page.getByRole('button', { name: 'Try it out' }).click();
  await page.locator('.opblock select').first().waitFor();
  await page.getByRole('button', { name: 'Execute' }).click();
  await page.locator('.live-responses-table').waitFor();
  expect(faults).toEqual([]);
  await context.close();
});
