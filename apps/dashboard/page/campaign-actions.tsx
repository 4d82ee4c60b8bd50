/** The campaign's state, and for operators: hold it, go on, call it off. */
import { useEffect, useState } from 'preact/hooks';
import { call, path } from './api.ts';
import { Confirm } from './dialog.tsx';
import { tell, tellFailure } from './notices.tsx';
import type { Controls } from './types.ts';

const STATES: Readonly<Record<Controls['state'], string>> = {
  running: 'Running',
  paused: 'Paused',
  cancelled: 'Cancelled',
};

const DONE = {
  pause: 'The campaign is paused. Its webhooks wait.',
  resume: 'The campaign goes on.',
  cancel: 'The campaign is cancelled.',
} as const;

export function CampaignActions({ campaignId, mayOperate }: { campaignId: string; mayOperate: boolean }) {
  const [controls, setControls] = useState<Controls>();
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    call<Controls>(`${path.campaign(campaignId)}/controls`).then(setControls, tellFailure);
  }, [campaignId]);

  async function act(verb: keyof typeof DONE): Promise<void> {
    setAsking(false);
    try {
      setControls(await call<Controls>(`${path.campaign(campaignId)}/${verb}`, { method: 'POST' }));
      tell(DONE[verb]);
    } catch (error) {
      tellFailure(error);
    }
  }

  if (controls === undefined) return null;
  const { state } = controls;
  return (
    <div class="actions">
      <span class={`state ${state}`}>{STATES[state]}</span>
      {mayOperate && state === 'running' && (
        <button type="button" onClick={() => void act('pause')}>
          Pause
        </button>
      )}
      {mayOperate && state !== 'running' && (
        <button type="button" onClick={() => void act('resume')}>
          Resume
        </button>
      )}
      {mayOperate && state !== 'cancelled' && (
        <button type="button" onClick={() => setAsking(true)}>
          Cancel …
        </button>
      )}
      {asking && (
        <Confirm
          title="Call the campaign off?"
          action="Call it off"
          danger
          onConfirm={() => void act('cancel')}
          onClose={() => setAsking(false)}
        >
          <p>
            What waits of <strong>{campaignId}</strong>, and what still comes, is not sent and counts as
            cancelled. What was sent stays counted. Resuming lets what comes afterwards through; what was
            cancelled stays so.
          </p>
        </Confirm>
      )}
    </div>
  );
}
