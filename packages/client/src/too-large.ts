/**
 * Which field is too large, when a producer refuses a body that it has not read to its end. Straight to Redis, the checks
 * read all of a webhook and name the field: here it is named by the same rule and in the same words.
 */
import type { FieldError, Problem } from './contract-types.ts';
import { RefusedError } from './errors.ts';

// As the producer's checks have it.
const CONTENT_BYTES_MAX = 1024 * 1024;
const ENVELOPE_BYTES_MAX = 6.25 * 1024 * 1024;

/** `body`: of the call that was answered with `problem`, a 413. */
export function tooLarge(problem: Problem, body: string): RefusedError {
  const call = JSON.parse(body) as Readonly<Record<string, unknown>>;
  const items = Array.isArray(call['webhooks']) ? call['webhooks'] : undefined;
  const errors = (items ?? [call]).flatMap((item: object, at) =>
    faultsOf(item).map((fault) => ({
      ...fault,
      field: items ? `webhooks[${at}]${fault.field && `.${fault.field}`}` : fault.field,
    })),
  );
  if (errors.length > 0)
    return new RefusedError({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: 'Some fields are at fault.',
      errors,
    });
  // A proxy before the producer may take less than the producer does.
  const detail = `is ${Buffer.byteLength(body)} bytes of JSON: more than the producer, or a proxy before it, takes`;
  return new RefusedError({ ...problem, errors: [{ field: '', type: 'TOO_LONG', detail }] });
}

function faultsOf({
  payload,
  ...envelope
}: {
  readonly payload?: unknown;
  readonly body?: unknown;
}): FieldError[] {
  if (Buffer.byteLength(JSON.stringify(envelope)) > ENVELOPE_BYTES_MAX)
    return [tooLong('', 'must not exceed 6.25 MiB beside its payload')];
  const { body } = envelope;
  if (typeof body === 'string' && body.length > CONTENT_BYTES_MAX)
    return [tooLong('body', `must NOT have more than ${CONTENT_BYTES_MAX} characters`)];
  if (typeof body === 'string' && Buffer.byteLength(body) > CONTENT_BYTES_MAX)
    return [tooLong('body', 'must not exceed 1 MiB')];
  if (payload !== undefined && Buffer.byteLength(JSON.stringify(payload)) > CONTENT_BYTES_MAX)
    return [tooLong('payload', 'must not exceed 1 MiB')];
  return [];
}

function tooLong(field: string, detail: string): FieldError {
  return { field, type: 'TOO_LONG', detail };
}
