/** The oracle: all promises that a history breaks. Pure: what the fleet did is in the history, what it promised in the model. */
import type { History, Violation } from '../history.ts';
import { operationText } from '../story.ts';
import { checkEnding } from './check-ending.ts';
import { checkLimits } from './check-limits.ts';
import { checkRaises, checkResumes } from './check-resumes.ts';
import { checkDeliverAt, checkStops } from './check-stops.ts';
import { type Evidence, evidenceOf } from './evidence.ts';
import { controlsAfter } from './reference-model.ts';
import { SLACK, type Slack } from './slack.ts';

export function violationsOf(history: History, slack: Slack = SLACK): Violation[] {
  const evidence = evidenceOf(history, slack);
  return [
    checkAnswers,
    checkStops,
    checkDeliverAt,
    checkLimits,
    checkResumes,
    checkRaises,
    checkControls,
    checkEnding,
  ].flatMap((check) => check(evidence));
}

/** Every call is answered, a worker that is stopped exits 0, and a repeated call with the same keys has the first call's ids. */
function checkAnswers({ history, at }: Evidence): Violation[] {
  return history.done.flatMap(({ operation, status, requestedAtMs, otherIds = 0, exitCode = 0 }) => {
    const what = `"${operationText(operation)}" at ${at(requestedAtMs)}`;
    return [
      ...(status >= 500 ? [`${what} was answered ${status === 599 ? 'by nothing' : status}.`] : []),
      ...(exitCode === 0 ? [] : [`${what}: the worker's exit code was ${exitCode}.`]),
      ...(otherIds > 0 ? [`${what}: the second call enqueued ${otherIds} webhooks again.`] : []),
    ].map((text) => ({ promise: 'answers' as const, text }));
  });
}

/** Controls are fields that are set one by one: nothing that was set beside another operation is lost. */
function checkControls({ history, at }: Evidence): Violation[] {
  const off = history.looks.flatMap(({ campaign, atMs, controls }) => {
    const { deadlineAtMs, ...wanted } = controlsAfter(
      history.done.filter(({ answeredAtMs }) => answeredAtMs <= atMs),
      campaign,
    );
    const { state, rateLimit, priority, deadline } = controls;
    // Whether a campaign that is past its deadline is shown as cancelled is nobody's promise.
    const isOver = deadlineAtMs !== undefined && deadlineAtMs <= atMs;
    const fields: [string, unknown, unknown][] = [
      ['state', isOver ? wanted.state : state, wanted.state],
      ['rateLimit', rateLimit, wanted.rateLimit],
      ['priority', priority ?? 'normal', wanted.priority],
      ['deadline', deadline === undefined ? undefined : Date.parse(deadline), deadlineAtMs],
    ];
    const wrong = fields.find(([, shown, expected]) => sorted(shown) !== sorted(expected));
    return wrong === undefined ? [] : [{ campaign, atMs, wrong }];
  });
  // Once lost, a field stays so: the first look tells.
  const [first] = off;
  if (first === undefined) return [];
  const [name, shown, expected] = first.wrong;
  const text = `the controls of campaign ${first.campaign} at ${at(first.atMs)} show ${name} ${sorted(shown)} and should show ${sorted(expected)}.`;
  return [{ promise: 'controls', text }];
}

function sorted(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return JSON.stringify(value, Object.keys(value).toSorted());
}
