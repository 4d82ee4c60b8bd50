/** A failure as its reader needs it: the promise, the story with its times, and how to run it again. */
import type { Done } from './history.ts';
import type { Failure } from './run-model.ts';
import { operationText } from './story.ts';

const PROMISES = {
  answers: 'Every call is answered, and a repeated call enqueues nothing',
  stop: 'Nothing begins after the answer of a pause or cancel, or after a deadline',
  resume: 'What waits and is due begins within 1 s of a resume',
  limits: 'Rates and concurrency limits are never exceeded, and apply within 1 s of a change',
  cancel: 'What was accepted before a cancel is never sent afterwards, and ends as cancelled',
  'deliver-at': 'Nothing arrives before its deliverAt',
  controls: 'Controls that change side by side are all kept',
  replay: 'A replay delivers dead letters, or leaves them to be replayed',
  accounts: 'Every accepted webhook ends, and the counters say how',
  repeats: 'Only what was in flight at a SIGKILL arrives twice',
} as const satisfies Record<Failure['promise'], string>;

/** In one line: of a promise whose story was told already. */
export function failureLine({ seed, promise, text }: Failure): string {
  return `seed ${seed}, "${promise}": ${text}`;
}

export function failureText({ seed, promise, text, story, history }: Failure): string {
  const operations = story.steps.flatMap(({ operations: some }, step) =>
    some.map((one) => [step, one] as const),
  );
  const startedAtMs = Math.min(...(history?.done.map(({ requestedAtMs }) => requestedAtMs) ?? [0]));
  const left = [...(history?.done ?? [])];
  const lines = operations.map(([step, operation], i) => {
    const at = left.findIndex((one) => one.step === step && one.operation === operation);
    const [done] = at === -1 ? [] : left.splice(at, 1);
    return `  ${String(i + 1).padStart(3)}. ${timesText(done, startedAtMs)}${operationText(operation)}`;
  });
  return [`seed ${seed}, "${promise}": ${PROMISES[promise]}.`, `  ${text}`, ...lines].join('\n');
}

function timesText(done: Done | undefined, startedAtMs: number): string {
  if (done === undefined) return '';
  const { requestedAtMs, answeredAtMs, status } = done;
  const at = `${((requestedAtMs - startedAtMs) / 1_000).toFixed(2)} s`;
  return status === 0
    ? `${at}: `
    : `${at} (${status} after ${Math.round(answeredAtMs - requestedAtMs)} ms): `;
}
