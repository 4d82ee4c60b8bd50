/**
 * Makes a channel's test: one attempt, as a webhook's would be, outside lanes, circuits and counters, and tells whoever
 * asked for it what was sent and what came back. Secrets are masked here: what leaves this process holds none.
 */
import {
  causeView,
  type ChannelTest,
  ChannelTest as ChannelTestSchema,
  type ChannelTestResult,
  compileValidator,
  type Destination,
  maskHeaders,
  maskUrl,
} from '@hookfleet/contract';
import {
  type BundleRun,
  type BundleRunEnd,
  type Channels,
  type ChannelTestsIn,
  UnreadableBundleError,
} from '@hookfleet/queue';
import { classify } from './classify.ts';
import { type MaskEchoes, maskEchoesOf } from './mask-echoes.ts';
import type { RequestedWebhook, RequestWebhook } from './request-webhook.ts';
import { excerptOf } from './response-excerpt.ts';

export interface TestChannelOptions {
  readonly tests: ChannelTestsIn;
  /** Read at once, not as of two seconds ago: whoever tests a channel has mostly just changed it. */
  readonly channels: Pick<Channels, 'getForDelivery'>;
  readonly request: RequestWebhook;
  readonly workerId: string;
  readonly now: () => number;
}

const BODY_SHOWN_MAX = 64 * 1024;

const validateTest = compileValidator<ChannelTest>(ChannelTestSchema);

export function createTestChannel(
  options: TestChannelOptions,
): (run: Pick<BundleRun, 'data' | 'signal'>) => Promise<BundleRunEnd> {
  const { tests, channels, request, workerId, now } = options;
  return async ({ data, signal }) => {
    const checked = validateTest(data);
    if ('errors' in checked) throw new UnreadableBundleError('not a test of a channel');
    const test = checked.value;
    if (signal.aborted) return 'released';
    if (!(await tests.claim(test))) return 'finished';
    const channel = await channels.getForDelivery(test.channelConfigId);
    if (channel === undefined) return 'finished';
    const requested = await request(`test_${test.id}`, test, channel);
    const { channelConfigId } = test;
    const occurredAt = new Date(now()).toISOString();
    await tests.answer(test, {
      channelConfigId,
      workerId,
      occurredAt,
      ...(await viewOf(requested, channel)),
    });
    return 'finished';
  };
}

async function viewOf(
  { request, answer, durationMs }: RequestedWebhook,
  destination: Destination,
): Promise<Pick<ChannelTestResult, 'request' | 'response' | 'timingsMs' | 'outcome'>> {
  const { auth } = destination;
  const secretHeaders = auth?.type === 'header' ? [auth.name.toLowerCase()] : [];
  const { method, url, headers, body } = request;
  const mask = maskEchoesOf(request, destination);
  const responseBody =
    answer.kind === 'response' ? await excerptOf(answer.rawBody, answer.headers, mask) : undefined;
  const { event, reason, cause, retriable } = classify(answer);
  return {
    request: {
      method,
      url: maskUrl(url),
      headers: maskHeaders(headers, secretHeaders),
      body: body.slice(0, BODY_SHOWN_MAX),
    },
    ...(answer.kind === 'response' && {
      response: {
        statusCode: answer.statusCode,
        headers: maskedHeaders(maskHeaders(answer.headers), mask),
        ...(responseBody !== undefined && { body: responseBody }),
      },
    }),
    timingsMs: { ...answer.phases, total: durationMs },
    outcome: {
      event,
      ...(reason !== undefined && { reason }),
      retriable,
      ...(cause !== undefined && causeView(cause)),
      // It says more: what became of the token.
      ...(answer.kind === 'failure' && answer.detail !== undefined && { detail: answer.detail }),
    },
  };
}

/** As node:http gives them: a character for each byte. */
function maskedHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  mask: MaskEchoes,
): Record<string, string | string[]> {
  const masked = (value: string) => mask(Buffer.from(value, 'latin1')).toString('latin1');
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (value === undefined) return [];
      return [[name, Array.isArray(value) ? value.map(masked) : masked(value)]];
    }),
  );
}
