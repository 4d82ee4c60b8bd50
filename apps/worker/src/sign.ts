/** Standard Webhooks: the three headers that let a receiver know who sent a webhook, and that it is no old one. */
import { createHmac } from 'node:crypto';

export interface SignatureInput {
  /** The same for each attempt: receivers drop what they have seen. */
  readonly webhookId: string;
  readonly nowMs: number;
  readonly body: string;
  /** whsec_ and base64; several while a secret is rotated. */
  readonly secrets: readonly string[] | undefined;
}

/** The id and the time always; a signature for each secret. */
export function signatureHeaders({
  webhookId,
  nowMs,
  body,
  secrets,
}: SignatureInput): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const headers = { 'webhook-id': webhookId, 'webhook-timestamp': timestamp };
  if (secrets === undefined || secrets.length === 0) return headers;
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${webhookId}.${timestamp}.${body}`).digest('base64')}`;
  });
  return { ...headers, 'webhook-signature': signatures.join(' ') };
}
