/**
 * Spans of counting. A results job holds outcomes of many traces: each trace gets a span, under one of its attempts, that
 * points to its others in the job. So every trace shows its own way to the counters, and spans are no more than attempts.
 */
import { parseTraceparent, type Results } from '@hookfleet/contract';
import { endWith, messageSpan, type Tracing } from '@hookfleet/tracing';

type CountAll = (results: Results) => Promise<void>;

export function traceCounting(countAll: CountAll, tracing: Tracing): CountAll {
  return async (results) => {
    const { traces = [], outcomes = [], events = [] } = results;
    if (traces.length === 0) return countAll(results);
    const byTrace = Map.groupBy(traces, ({ traceparent }) => parseTraceparent(traceparent)?.traceId);
    const spans = [...byTrace.values()].map(([parent, ...links]) =>
      tracing.startSpan(
        messageSpan({
          operation: 'process',
          queue: 'results',
          parent,
          links,
          messages: outcomes.length + events.length,
        }),
      ),
    );
    await endWith(spans, countAll(results));
  };
}
