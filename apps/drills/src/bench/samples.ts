/** What is sent in the benchmark: the same to every contestant. */
const TEXT = 'x'.repeat(240);

/** 330 bytes or so, as a campaign's message has. */
export const PAYLOAD = { number: 1, sentAt: 0, user: 'u-123456', text: TEXT };
export const BODY = JSON.stringify(PAYLOAD);
export const PAYLOAD_BYTES = Buffer.byteLength(BODY);

export const SIGNING_SECRET = `whsec_${Buffer.alloc(32, 'bench').toString('base64')}`;

export function webhooksTo(channelConfigId: string, count: number) {
  return Array.from({ length: count }, (_, i) => ({
    campaignId: 'bench',
    messageId: 'welcome',
    channelConfigId,
    userId: `u-${i}`,
    payload: PAYLOAD,
  }));
}
