/** `hookfleet campaign`: hold a campaign, go on, call it off; its rate, priority and deadline. */
import type { CampaignControls, CampaignStatus, CampaignTotals } from '@hookfleet/contract';
import { CAMPAIGN_PRIORITIES } from '@hookfleet/contract/vocabulary';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Api, pathOf } from '../api.ts';
import { campaignStatusLines } from '../campaign-status-text.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { EXIT, RefusedError, UnreachableError, UsageError } from '../exit-status.ts';
import { write } from '../terminal.ts';
import { textTable } from '../text-table.ts';

interface Controls extends CampaignControls {
  readonly campaignId: string;
  readonly state: string;
  readonly since?: string;
}

type Rate = NonNullable<CampaignControls['rateLimit']>;

interface SetOptions extends FleetOptions {
  readonly rate?: Rate | 'none';
  readonly priority?: (typeof CAMPAIGN_PRIORITIES)[number];
  readonly deadline?: string;
}

const NONE = 'none';

export function addCampaign(program: Command, { environment, end }: CommandContext): void {
  const campaign = program.command('campaign').description('show, set, pause, resume, cancel');
  const command = (name: string, description: string) =>
    withFleetOptions(campaign.command(name)).description(description).argument('<campaign>');
  const show = async (controls: Controls, aggregator: Api, json: boolean) => {
    const status = await statusOf(controls.campaignId, aggregator);
    write(
      json
        ? JSON.stringify({ ...controls, ...(typeof status === 'object' && { status }) })
        : controlsLines(controls, status).join('\n'),
    );
  };

  command('show', 'its state, rate, priority and deadline').action(
    async (id: string, options: FleetOptions) => {
      const { producer, aggregator, json } = openFleet(options, environment);
      await show(await producer.get<Controls>(pathOf('campaigns', id, 'controls')), aggregator, json);
      return end(EXIT.done);
    },
  );

  command('set', 'its rate, priority, deadline; what is not given stays as it is')
    .option(
      '--rate <n/second>',
      'webhooks a second or minute, as 100/second or 600/minute; none lifts it',
      parseRate,
    )
    .addOption(new Option('--priority <priority>', 'which goes first').choices(CAMPAIGN_PRIORITIES))
    .option('--deadline <time>', 'ISO 8601: what was not sent by then is cancelled; none lifts it')
    .action(async (id: string, options: SetOptions) => {
      const { producer, aggregator, json } = openFleet(options, environment);
      const { rate, priority, deadline } = options;
      if (rate === undefined && priority === undefined && deadline === undefined)
        throw new UsageError('--rate, --priority or --deadline is needed');
      const path = pathOf('campaigns', id, 'controls');
      // The API takes all of them at once, and lifts what is left out.
      const now = await producer.get<Controls>(path);
      const wanted = { rateLimit: rate ?? now.rateLimit, deadline: deadline ?? now.deadline };
      const body = Object.fromEntries(
        Object.entries({ ...wanted, priority: priority ?? now.priority }).filter(
          ([, value]) => value !== undefined && value !== NONE,
        ),
      );
      await show(await producer.put<Controls>(path, body), aggregator, json);
      return end(EXIT.done);
    });

  for (const [verb, description] of [
    ['pause', 'send nothing of it until it is resumed'],
    ['resume', 'go on, after a pause or for what comes after a cancel'],
  ] as const) {
    command(verb, description).action(async (id: string, options: FleetOptions) => {
      const { producer, aggregator, json } = openFleet(options, environment);
      await show(await producer.post<Controls>(pathOf('campaigns', id, verb)), aggregator, json);
      return end(EXIT.done);
    });
  }

  command('cancel', 'call it off: what waits, and what still comes, is not sent')
    .option('--yes', 'do not ask')
    .action(async (id: string, options: FleetOptions & { readonly yes?: boolean }) => {
      const { producer, aggregator, json } = openFleet(options, environment);
      if (!(await confirm(`Call campaign ${id} off?`, options.yes))) return end(EXIT.failed);
      await show(await producer.post<Controls>(pathOf('campaigns', id, 'cancel')), aggregator, json);
      return end(EXIT.done);
    });
}

function parseRate(text: string): Rate | 'none' {
  if (text === NONE) return NONE;
  const [, limit, per] = /^(\d{1,6})\/(second|minute)$/.exec(text) ?? [];
  if (limit === undefined) throw new InvalidArgumentError('100/second, 600/minute or none is needed');
  return { limit: Number(limit), per: per as Rate['per'] };
}

/** `unknown`: nothing was counted for it. Undefined: the aggregator does not say. */
async function statusOf(
  campaignId: string,
  aggregator: Api,
): Promise<CampaignStatus | 'unknown' | undefined> {
  try {
    return (await aggregator.get<CampaignTotals>(pathOf('campaigns', campaignId))).status;
  } catch (error) {
    if (error instanceof RefusedError) return error.problem.status === 404 ? 'unknown' : undefined;
    if (error instanceof UnreachableError) return undefined;
    throw error;
  }
}

function stateLines({ state, since }: Controls, status: CampaignStatus | 'unknown' | undefined): string[] {
  if (typeof status === 'object') return campaignStatusLines(status);
  const told = state + (since === undefined ? '' : ` since ${since}`);
  if (status === undefined) return [`${told} (by its controls: the aggregator does not say more)`];
  return [
    state === 'running' ? 'unknown: nothing was counted for it' : `${told}; nothing was counted for it`,
  ];
}

function controlsLines(controls: Controls, status: CampaignStatus | 'unknown' | undefined): string[] {
  const { campaignId, rateLimit, priority = 'normal', deadline } = controls;
  const [first = '', ...others] = stateLines(controls, status);
  const rate = rateLimit === undefined ? 'no limit' : `${rateLimit.limit} a ${rateLimit.per}`;
  return textTable([
    ['campaign', campaignId],
    ['state', first],
    ...others.map((line) => ['', line]),
    ['rate', rate],
    ['priority', priority],
    ['deadline', deadline ?? NONE],
  ]);
}
