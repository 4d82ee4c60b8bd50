/** The sample campaign: real payloads of GitHub's webhooks, sent through the producer's bulk call. */
import examples from '@octokit/webhooks-examples' with { type: 'json' };

export interface SampleCampaign {
  readonly campaignId: string;
  readonly channelConfigId: string;
  readonly webhooks: number;
}

export interface SendOptions {
  readonly producerUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly receiverUrl: string;
  readonly onAccepted: (webhooks: number) => void;
}

// Eight megabytes a call, of the 32 that a bulk call may have.
const WEBHOOKS_PER_CALL = 500;
const CALLS_AT_ONCE = 2;
// Where Redis is slow for a moment, on a busy machine's disk: the answer asks to be called again, as any caller would.
const TRIES_MAX = 20;
const PAUSE_MS = 1_000;
const MESSAGES = ['welcome', 'reminder', 'last-call'];

const payloads = (examples as unknown as { name: string; examples: unknown[] }[]).flatMap(
  (event) => event.examples,
);

/** Stores the channel, then sends every webhook. Resolves when all are accepted. */
export async function sendCampaign(campaign: SampleCampaign, options: SendOptions): Promise<void> {
  const { producerUrl, headers, receiverUrl, onAccepted } = options;
  await call(`${producerUrl}/v1/channels/${campaign.channelConfigId}`, 'PUT', headers, {
    url: receiverUrl,
    signingSecrets: [`whsec_${Buffer.alloc(32, 'hookfleet').toString('base64')}`],
    // Far above what the receiver takes when it answers at all: only what hangs times out.
    timeoutMs: 3_000,
    retry: { delaysMs: [500, 1_000, 2_000], jitter: 0.2 },
  });
  let next = 0;
  const sendSome = async () => {
    while (next < campaign.webhooks) {
      const from = next;
      next = Math.min(next + WEBHOOKS_PER_CALL, campaign.webhooks);
      const webhooks = Array.from({ length: next - from }, (_, i) => webhookAt(campaign, from + i));
      await call(`${producerUrl}/v1/webhooks/bulk`, 'POST', headers, { webhooks });
      onAccepted(webhooks.length);
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, sendSome));
}

function webhookAt({ campaignId, channelConfigId }: SampleCampaign, at: number) {
  return {
    campaignId,
    messageId: MESSAGES[at % MESSAGES.length],
    channelConfigId,
    userId: `user-${at}`,
    // A call that is made again enqueues nothing twice.
    idempotencyKey: `sample-${at}`,
    payload: payloads[at % payloads.length],
  };
}

async function call(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: unknown,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const response = await fetch(url, {
      method,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (response.ok) return;
    if (response.status !== 503 || tries === TRIES_MAX)
      throw new Error(`${method} ${url} was answered with ${response.status}: ${text.slice(0, 500)}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
