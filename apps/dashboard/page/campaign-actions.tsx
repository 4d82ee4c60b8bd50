/** The campaign's state, and for operators: hold it, go on, call it off. */
import { useEffect, useState } from 'preact/hooks';
import { call, path } from './api.ts';
import { Confirm } from './dialog.tsx';
import { tell, tellFailure } from './notices.tsx';
import { CampaignState } from './campaign-state.tsx';
import type { CampaignStatus, Controls } from './types.ts';

const DONE = {
  pause: 'The campaign is paused. Its webhooks wait.',
  resume: 'The campaign goes on.',
  cancel: 'The campaign is cancelled.',
} as const;

export interface CampaignActionsProps {
  readonly campaignId: string;
  /** Undefined for a campaign of which nothing was counted. */
  readonly status: CampaignStatus | undefined;
  readonly mayOperate: boolean;
}

export function CampaignActions({ campaignId, status, mayOperate }: CampaignActionsProps) {
  const [controls, setControls] = useState<Controls>();
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    call<Controls>(`${path.campaign(campaignId)}/controls`).then(setControls, tellFailure);
  }, [campaignId, status?.state]);

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
  // Of a campaign that nobody has counted yet, only what was said of it is known.
  const told = state === 'running' ? undefined : { ...controls, state };
  const shown = status ?? told;
  return (
    <div class="actions">
      {shown !== undefined && <CampaignState status={shown} />}
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
