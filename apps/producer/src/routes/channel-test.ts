/** POST /v1/channels/{channelConfigId}/test: one attempt by a worker, for a person to look at; counted nowhere. */
import {
  ATTEMPT_TIMEOUT_MAX_MS,
  ChannelTestRequest,
  ChannelTestResult,
  compileValidator,
  Problem,
} from '@hookfleet/contract';
import { invalidInput, jsonBytes, ProblemError, unavailable } from '@hookfleet/http-api';
import { bodyFaults, readWebhook, type WebhookText } from '@hookfleet/intake';
import { ChannelParams } from '@hookfleet/operations';
import { type Channels, type ChannelTestsOut, UNREADABLE } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';

// A worker that is full takes the test as soon as it has room; beyond this nobody waits for it.
const PICKUP_MS = 5_000;
// A channel that sets no time-out gets the worker's, which isn't known here: this is its default.
const ATTEMPT_TIMEOUT_MS = 30_000;
// Room for 64 KiB of content with JSON's escapes: a test is a sample.
const BODY_BYTES_MAX = 256 * 1024;

const NO_CONTENT: WebhookText = { value: {}, faults: [] };

const validateRequest = compileValidator<ChannelTestRequest>(ChannelTestRequest);

export interface ChannelTestRouteOptions {
  readonly channels: Pick<Channels, 'get'>;
  readonly channelTests: ChannelTestsOut;
  /** How long a worker may take until it begins the test. */
  readonly pickupMs?: number | undefined;
}

export function addChannelTestRoute(
  app: FastifyInstance,
  { channels, channelTests, pickupMs = PICKUP_MS }: ChannelTestRouteOptions,
): void {
  // A stop doesn't wait for a destination that may take a minute.
  const stopping = new AbortController();
  app.addHook('preClose', async () => stopping.abort());

  app.post<{ Params: Static<typeof ChannelParams> }>(
    '/v1/channels/:channelConfigId/test',
    {
      bodyLimit: BODY_BYTES_MAX,
      config: { keepsJsonBytes: true },
      schema: {
        summary:
          'Send one webhook to the channel now, and see what was sent and what came back. It passes lanes, limits and circuits by, and is counted in no campaign.',
        params: ChannelParams,
        body: ChannelTestRequest,
        response: { 200: ChannelTestResult, '4xx': Problem, 503: Problem, 504: Problem },
      },
      // The body is optional, which fastify's own check doesn't know of; an id that no channel can have isn't found.
      validatorCompiler: () => () => true,
    },
    async (request, reply) => {
      const { params, body, log } = request;
      const { channelConfigId } = params;
      const { value, payload, faults } = body === undefined ? NO_CONTENT : readWebhook(jsonBytes(request));
      if (faults.length > 0) throw invalidInput(faults);
      const checked = validateRequest(value);
      if ('errors' in checked) throw invalidInput(checked.errors);
      const unsendable = bodyFaults(checked.value.body ?? '');
      if (unsendable.length > 0) throw invalidInput(unsendable);
      const channel = await channels.get(channelConfigId);
      if (channel === undefined) throw new ProblemError(404, `There is no channel ${channelConfigId}.`);
      if (channel === UNREADABLE)
        throw new ProblemError(
          409,
          `Channel ${channelConfigId} can't be read: its key is not among HOOKFLEET_ENCRYPTION_KEYS. It can be replaced.`,
        );
      const timeoutMs = Math.min(channel.timeoutMs ?? ATTEMPT_TIMEOUT_MS, ATTEMPT_TIMEOUT_MAX_MS) + pickupMs;
      const test = { channelConfigId, ...contentOf(checked.value, payload, channelConfigId) };
      const result = await channelTests.run(test, timeoutMs, stopping.signal);
      log.info({ channelConfigId, event: result?.outcome.event }, 'channel.tested');
      if (stopping.signal.aborted) reply.header('connection', 'close');
      if (stopping.signal.aborted && result === undefined) throw unavailable('This process is stopping.');
      if (result === undefined) throw new ProblemError(504, 'No worker has answered: is one running?');
      return result;
    },
  );
}

function contentOf(
  { body, contentType }: ChannelTestRequest,
  payload: string | undefined,
  channelConfigId: string,
) {
  if (body !== undefined && contentType !== undefined) return { body, contentType };
  return { body: payload ?? JSON.stringify(defaultPayload(channelConfigId)) };
}

function defaultPayload(channelConfigId: string) {
  return { test: true, channelConfigId, message: 'A test by hookfleet: nothing is counted.' };
}
