/** Webhooks that ended undelivered, the latest first, each with what its destination answered last. */
import { useEffect, useState } from 'preact/hooks';
import { call, path, query } from './api.ts';
import { number, time } from './format.ts';
import { tell, tellFailure } from './notices.tsx';
import type { Failure, FailurePage } from './types.ts';
import { EVENT_WORDS, labelOf, REASON_WORDS } from './words.ts';

const PAGE_SIZE = 20;

export interface FailuresProps {
  readonly campaignId: string;
  /** Messages that failed: when it changes, so does the list. */
  readonly failed: number;
  readonly mayOperate: boolean;
  readonly onReplayAll: () => void;
}

export function Failures({ campaignId, failed, mayOperate, onReplayAll }: FailuresProps) {
  const [reason, setReason] = useState('');
  const [failures, setFailures] = useState<readonly Failure[]>();
  const [cursor, setCursor] = useState<string>();
  const read = (after?: string) =>
    call<FailurePage>(
      `${path.campaign(campaignId)}/failures?${query({ reason, limit: PAGE_SIZE, cursor: after })}`,
    );

  useEffect(() => {
    let isWanted = true;
    read().then((page) => {
      if (!isWanted) return;
      setFailures(page.failures);
      setCursor(page.cursor);
    }, tellFailure);
    return () => {
      isWanted = false;
    };
  }, [campaignId, reason, failed]);

  async function more(): Promise<void> {
    try {
      const page = await read(cursor);
      setFailures((before = []) => [...before, ...page.failures]);
      setCursor(page.cursor);
    } catch (error) {
      tellFailure(error);
    }
  }

  async function replay({ webhookId }: Failure): Promise<void> {
    try {
      await call(`${path.webhook(webhookId)}/replay`, { method: 'POST' });
      setFailures((before) => before?.filter((one) => one.webhookId !== webhookId));
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
          <button type="button" class="primary" onClick={onReplayAll}>
            Replay …
          </button>
        )}
      </div>
      {failures?.length === 0 && (
        <p class="muted">{reason === '' ? 'No webhook ended undelivered.' : 'None for this reason.'}</p>
      )}
      {failures !== undefined && failures.length > 0 && (
        <div class="scroll">
          <table class="cards">
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
                {mayOperate && <th scope="col">Replay</th>}
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
      {cursor !== undefined && (
        <button type="button" onClick={() => void more()}>
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
        <td data-label="Replay">
          <button type="button" aria-label={`Replay ${messageId}`} onClick={() => void onReplay(failure)}>
            Replay
          </button>
        </td>
      )}
    </tr>
  );
}
