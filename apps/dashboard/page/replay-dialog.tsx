/** Replays a campaign's failures: says how many, to which channels and at which pace, and does it only then. */
import { useEffect, useState } from 'preact/hooks';
import { call, path, query } from './api.ts';
import { Confirm } from './dialog.tsx';
import { duration, number } from './format.ts';
import { tell, tellFailure } from './notices.tsx';
import type { ReplayPreview } from './types.ts';
import { REASON_WORDS } from './words.ts';

const PACES = [10, 50, 200, 1_000];
// The most that one replay takes; the pace holds for each replay.
const LIMIT = 5_000;

interface Replayed {
  readonly replayed: number;
  readonly more: boolean;
  readonly cursor?: string;
}

export interface ReplayDialogProps {
  readonly campaignId: string;
  /** That is chosen at first; empty: any. */
  readonly reason: string;
  readonly onClose: () => void;
}

export function ReplayDialog({ campaignId, reason: chosen, onClose }: ReplayDialogProps) {
  const [reason, setReason] = useState(chosen);
  const [perSecond, setPerSecond] = useState(50);
  const [preview, setPreview] = useState<ReplayPreview>();
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    const abort = new AbortController();
    setPreview(undefined);
    call<ReplayPreview>(`${path.campaign(campaignId)}/replay?${query({ reason, perSecond, limit: LIMIT })}`, {
      signal: abort.signal,
    }).then(setPreview, (error: Error) => {
      if (!abort.signal.aborted) tellFailure(error);
    });
    return () => abort.abort();
  }, [campaignId, reason, perSecond]);

  const count = preview?.webhooks ?? 0;

  async function replay(): Promise<void> {
    setBusy(true);
    try {
      let replayed = 0;
      let page: Replayed = { replayed: 0, more: true };
      // One call looks at some thousands, and passes over those that are delivered again already.
      while (page.more && replayed < count) {
        page = await call<Replayed>(`${path.campaign(campaignId)}/replay`, {
          method: 'POST',
          body: { perSecond, limit: count - replayed, cursor: page.cursor, ...(reason !== '' && { reason }) },
        });
        replayed += page.replayed;
      }
      tell(`${number(replayed)} webhooks are delivered again.${page.more ? ' There are more.' : ''}`);
    } catch (error) {
      tellFailure(error);
    }
    onClose();
  }

  return (
    <Confirm
      title="Replay failures"
      action={count === 0 ? 'Replay' : `Replay ${number(count)} ${count === 1 ? 'webhook' : 'webhooks'}`}
      disabled={count === 0 || busy}
      onConfirm={() => void replay()}
      onClose={onClose}
    >
      <div class="fields">
        <label>
          Failed for{' '}
          <select value={reason} onChange={(event) => setReason(event.currentTarget.value)}>
            <option value="">any reason</option>
            {Object.entries(REASON_WORDS).map(([name, { label }]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          Pace{' '}
          <select
            value={String(perSecond)}
            onChange={(event) => setPerSecond(Number(event.currentTarget.value))}
          >
            {PACES.map((pace) => (
              <option key={pace} value={String(pace)}>
                {number(pace)} a second
              </option>
            ))}
          </select>
        </label>
      </div>
      <div aria-live="polite" class="preview">
        {preview === undefined ? (
          <p class="muted">Counting …</p>
        ) : preview.webhooks === 0 ? (
          <p>No failed webhook fits.</p>
        ) : (
          <>
            <p>
              Delivers {number(preview.webhooks)} {preview.webhooks === 1 ? 'webhook' : 'webhooks'} again,{' '}
              {number(preview.perSecond)} a second:{' '}
              {preview.seconds === 0 ? 'at once' : `the last in ${duration(preview.seconds)}`}.
              {preview.more &&
                ` These are the latest of ${number(preview.deadLetters)} that failed${reason === '' ? '' : ', for any reason'}: replay again for the next.`}
            </p>
            <ul>
              {preview.channels.map(({ channelConfigId, webhooks }) => (
                <li key={channelConfigId ?? ''}>
                  {number(webhooks)} to{' '}
                  {channelConfigId === undefined ? 'inline destinations' : `channel ${channelConfigId}`}
                </li>
              ))}
            </ul>
            <p class="muted">
              Each keeps its webhook-id, and has its whole retry schedule again. A message that arrives is
              counted as delivered, and no longer as failed.
            </p>
          </>
        )}
      </div>
    </Confirm>
  );
}
