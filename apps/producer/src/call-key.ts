/** The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), which many clients send by themselves. */
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';

export const CallKey = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description:
        "For what has no key of its own: a webhook's idempotencyKey, an event's id. In a call of several, each gets it with / and its place behind it.",
    }),
  ),
});

/** Undefined without the header. What it holds is checked as the field that it stands for. */
export function callKeyOf({ headers }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key'];
  // A string of RFC 9651 stands in quotes; most send it without.
  return key === undefined
    ? undefined
    : String(key)
        .trim()
        .replace(/^"(.*)"$/, '$1');
}
