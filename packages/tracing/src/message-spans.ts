/** Spans of what goes into a queue and of what is done with it, by OpenTelemetry's semantic conventions for messaging. */
import type { Attributes, Span, SpanFacts, SpanOptions } from './tracing.ts';

const KINDS = { send: 'producer', process: 'consumer' } as const;

export interface MessageSpan extends Pick<SpanOptions, 'parent' | 'links'> {
  readonly operation: keyof typeof KINDS;
  readonly queue: 'webhooks' | 'results';
  /** Undefined where it is one by itself. */
  readonly messages: number | undefined;
  readonly attributes?: Attributes;
}

export function messageSpan({ operation, queue, messages, attributes, ...rest }: MessageSpan): SpanOptions {
  return {
    ...rest,
    name: `${operation} ${queue}`,
    kind: KINDS[operation],
    attributes: {
      'messaging.system': 'bullmq',
      'messaging.destination.name': queue,
      'messaging.operation.type': operation,
      'messaging.operation.name': operation,
      'messaging.batch.message_count': messages,
      ...attributes,
    },
  };
}

/** Ends the spans when the work has ended, with its facts or its error's name. Its result and its error are passed on. */
export async function endWith<T>(
  spans: readonly Span[],
  work: Promise<T>,
  factsOf: (done: T) => SpanFacts = () => ({}),
): Promise<T> {
  try {
    const done = await work;
    for (const span of spans) span.end(factsOf(done));
    return done;
  } catch (error) {
    for (const span of spans) span.end({ error: (error as Error).name });
    throw error;
  }
}
