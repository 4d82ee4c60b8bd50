/** `hookfleet send`: one webhook, from flags or from JSON; with --wait until its end. */
import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, pathOf } from '../api.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { EXIT, UsageError } from '../exit-status.ts';
import { type JsonText, type Members, membersOf, objectText } from '../json-text.ts';
import { jsonText, readJson } from '../read-input.ts';
import { duration } from '../numbers-as-text.ts';
import { colourOf } from '../style.ts';
import { write } from '../terminal.ts';
import { printable } from '../text-table.ts';
import { parseDuration, parseHeader } from './flag-values.ts';

interface SendOptions extends FleetOptions {
  readonly campaign?: string;
  readonly message?: string;
  readonly channel?: string;
  readonly url?: string;
  readonly method?: string;
  readonly header?: readonly (readonly [string, string])[];
  readonly secret?: string;
  readonly payload?: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly user?: string;
  readonly idempotencyKey?: string;
  readonly deliverAt?: string;
  readonly wait?: boolean;
  readonly timeout: number;
}

interface WebhookStatus {
  readonly state: string;
  readonly attempts: readonly {
    readonly attempt: number;
    readonly event: string;
    readonly reason?: string;
    /** What exactly went wrong, in words. */
    readonly detail?: string;
    readonly statusCode?: number;
    readonly durationMs: number;
    readonly responseBody?: string;
  }[];
}

const POLL_INTERVAL_MS = 200;
// As long as the words of a cause may be.
const ANSWER_SHOWN = 110;
const ENDED = new Set(['delivered', 'failed', 'cancelled']);

export function addSend(program: Command, { environment, end }: CommandContext): void {
  withFleetOptions(program.command('send'))
    .description('enqueue one webhook, and print its id')
    .argument('[file]', 'a webhook as JSON, - for standard input; flags go before what it says')
    .option('--campaign <id>', 'campaign')
    .option('--message <id>', 'message of the campaign')
    .option('--channel <id>', 'channel to send it to')
    .option('--url <url>', 'destination, where there is no channel')
    .option('--method <method>', "the destination's method; POST when absent")
    .option('--header <name: value>', 'header of the destination; may be given again', parseHeader)
    .option('--secret <whsec_…>', 'signs it, where there is no channel')
    .option('--payload <json>', 'any JSON')
    .option('--body <text>', 'instead of a payload, with --content-type')
    .option('--content-type <type>', 'of the body')
    .option('--user <id>', 'recipient')
    .option('--idempotency-key <key>', 'a second one with the same key is not enqueued')
    .option('--deliver-at <time>', 'ISO 8601: not before then')
    .option('--wait', 'follow it to its end: 0 delivered, 1 failed or cancelled')
    .option(
      '--timeout <time>',
      'with --wait: give up after so long, with status 1',
      parseDuration,
      86_400_000,
    )
    .action(async (file: string | undefined, options: SendOptions) => {
      const { producer, json } = openFleet(options, environment);
      const given = file === undefined ? [] : membersOfWebhook(await readJson(file));
      const flags = ofFlags(options);
      const replaced = new Set(flags.map(([name]) => name));
      const webhook = objectText([...given.filter(([name]) => !replaced.has(name)), ...flags]);
      const { id } = await producer.post<{ id: string }>('/v1/webhooks', webhook);
      if (options.wait !== true) {
        write(json ? JSON.stringify({ id }) : id);
        return end(EXIT.done);
      }
      if (!json) write(id);
      const status = await follow(producer, id, options.timeout, json ? () => undefined : write);
      if (json) write(JSON.stringify(status));
      else write(colourOf(status.state)(status.state));
      return end(status.state === 'delivered' ? EXIT.done : EXIT.failed);
    });
}

/** Writes each attempt as it is recorded; resolves to the webhook at its end, or when the time is over. */
async function follow(
  producer: Api,
  id: string,
  timeoutMs: number,
  writeLine: (line: string) => void,
): Promise<WebhookStatus> {
  const deadline = performance.now() + timeoutMs;
  let shown = 0;
  for (;;) {
    const status = await producer.get<WebhookStatus>(pathOf('webhooks', id));
    for (const attempt of status.attempts.slice(shown)) writeLine(attemptLine(attempt));
    shown = status.attempts.length;
    if (ENDED.has(status.state) || performance.now() >= deadline) return status;
    await sleep(POLL_INTERVAL_MS);
  }
}

function attemptLine({
  attempt,
  event,
  reason,
  detail,
  statusCode,
  durationMs,
  responseBody,
}: WebhookStatus['attempts'][0]) {
  const facts = [
    statusCode ?? reason,
    duration(durationMs),
    printable(responseBody ?? detail ?? '', ANSWER_SHOWN),
  ];
  return `  attempt ${attempt}  ${colourOf(event)(event)}  ${facts.join('  ')}`.trimEnd();
}

function ofFlags(options: SendOptions): Members {
  const { campaign, message, channel, payload, body, contentType, user, idempotencyKey, deliverAt } = options;
  const fields = {
    campaignId: campaign,
    messageId: message,
    channelConfigId: channel,
    destination: destinationOf(options),
    payload: payload === undefined ? undefined : jsonText(payload, '--payload'),
    body,
    contentType,
    userId: user,
    idempotencyKey,
    deliverAt,
  };
  return Object.entries(fields).filter(([, value]) => value !== undefined);
}

function destinationOf({ url, method, header, secret }: SendOptions): Record<string, unknown> | undefined {
  if (url === undefined) {
    if (method !== undefined || header !== undefined || secret !== undefined)
      throw new UsageError('--method, --header and --secret go with --url: a channel has its own');
    return undefined;
  }
  return {
    url,
    ...(method !== undefined && { method }),
    ...(header !== undefined && { headers: Object.fromEntries(header) }),
    ...(secret !== undefined && { signingSecrets: [secret] }),
  };
}

function membersOfWebhook(webhook: JsonText): Members {
  const members = membersOf(webhook);
  if (members === undefined) throw new UsageError('a webhook is a JSON object');
  return members;
}
