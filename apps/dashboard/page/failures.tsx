/** Webhooks that ended undelivered, the latest first, each with what its destination answered last. */
import { useState } from 'preact/hooks';
import { call, path } from './api.ts';
import { useFailures } from './failure-list.ts';
import { number, time } from './format.ts';
import { tell, tellFailure } from './notices.tsx';
import type { Failure } from './types.ts';
import { EVENT_WORDS, labelOf, REASON_WORDS } from './words.ts';

export interface FailuresProps {
  readonly campaignId: string;
  /** Messages that failed: when it changes, so does the list. */
  readonly failed: number;
  readonly mayOperate: boolean;
  readonly onReplayAll: (reason: string) => void;
}

export function Failures({ campaignId, failed, mayOperate, onReplayAll }: FailuresProps) {
  const [reason, setReason] = useState('');
  const { failures, hasMore, problem, more, remove } = useFailures(campaignId, reason, failed);

  async function replay({ webhookId }: Failure): Promise<void> {
    try {
      await call(`${path.webhook(webhookId)}/replay`, { method: 'POST' });
      remove(webhookId);
      tell('The webhook is delivered again.');
    } catch (error) {
      tellFailure(error);
    }
  }

  return (
    <section class="panel" aria-labelledby="failures">
      <div class="heading">
        <h2 id="failures">Failures</h2>
        <label>
          Reason{' '}
          <select value={reason} onChange={(event) => setReason(event.currentTarget.value)}>
            <option value="">any</option>
            {Object.entries(REASON_WORDS).map(([name, { label }]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
        {mayOperate && (failures?.length ?? 0) > 0 && (
          <button type="button" class="primary" onClick={() => onReplayAll(reason)}>
            Replay …
          </button>
        )}
      </div>
      {problem !== undefined && <p role="alert">{problem}</p>}
      {failures === undefined && problem === undefined && <p class="muted">Loading …</p>}
      {failures?.length === 0 && (
        <p class="muted">{reason === '' ? 'No webhook ended undelivered.' : 'None for this reason.'}</p>
      )}
      {failures !== undefined && failures.length > 0 && (
        <div class="scroll">
          <table class="cards failures">
            <thead>
              <tr>
                <th scope="col">Message</th>
                <th scope="col" class="words">
                  Channel
                </th>
                <th scope="col" class="words">
                  Outcome
                </th>
                <th scope="col">Attempts</th>
                <th scope="col">Ended</th>
                <th scope="col" class="words">
                  Last answer
                </th>
                {mayOperate && (
                  <th scope="col" class="sticky">
                    Replay
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {failures.map((failure) => (
                <Row key={failure.webhookId} failure={failure} {...(mayOperate && { onReplay: replay })} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {hasMore && (
        <button type="button" onClick={more}>
          More
        </button>
      )}
    </section>
  );
}

interface RowProps {
  readonly failure: Failure;
  readonly onReplay?: (failure: Failure) => Promise<void>;
}

function Row({ failure, onReplay }: RowProps) {
  const { messageId, channelConfigId, event, reason, statusCode, attempts, endedAt, responseBody } = failure;
  const { recipients, detail } = failure;
  const why = reason === undefined ? labelOf(EVENT_WORDS, event) : labelOf(REASON_WORDS, reason);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <tr>
      <th scope="row" title={failure.webhookId}>
        {messageId}
        {recipients !== undefined && <span class="muted small"> {number(recipients)} recipients</span>}
      </th>
      <td data-label="Channel" class="words">
        {channelConfigId ?? <span class="muted">inline</span>}
      </td>
      <td data-label="Outcome" class="words">
        {labelOf(EVENT_WORDS, event)}: {statusCode ?? why}
      </td>
      <td data-label="Attempts">{attempts}</td>
      <td data-label="Ended">
        <time dateTime={endedAt}>{time(endedAt, zone)}</time>
      </td>
      <td data-label="Last answer" class="words answer">
        {responseBody === undefined || responseBody === '' ? (
          <span class="muted">{detail === undefined ? 'none' : `none: ${detail}`}</span>
        ) : (
          <details>
            <summary>{responseBody.slice(0, 40)}</summary>
            <pre>{responseBody}</pre>
          </details>
        )}
      </td>
      {onReplay !== undefined && (
        <td data-label="Replay" class="sticky">
          <button type="button" aria-label={`Replay ${messageId}`} onClick={() => void onReplay(failure)}>
            Replay
          </button>
        </td>
      )}
    </tr>
  );
}
