/** The campaigns' controls as of a second ago, for processes that ask often. Redis' failures leave them as they were. */
import type { CampaignControlsStore, StoredControls } from './campaign-controls.ts';

const REFRESH_EVERY_MS = 1_000;
// Those that were called off longer ago when a process starts have been seen to.
const RECENT_MS = 3_600_000;

export interface KnownControls {
  /** Empty where the campaign has none. */
  of(campaignId: string): StoredControls;
  /** Is the campaign called off, or its deadline past? */
  isCancelled(campaignId: string): boolean;
  /** Resolves when what is known is no older than the call. Rejects with Redis' error. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

export interface KnownControlsOptions {
  readonly store: Pick<CampaignControlsStore, 'version' | 'all'>;
  /** Called once for each campaign that is called off, or whose deadline passes. */
  readonly onCalledOff: (campaignId: string) => void;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
  readonly now: () => number;
  /** How often to read the controls. */
  readonly refreshEveryMs?: number | undefined;
}

export async function startKnownControls(options: KnownControlsOptions): Promise<KnownControls> {
  const { store, onCalledOff, onError, now, refreshEveryMs = REFRESH_EVERY_MS } = options;
  let controls: ReadonlyMap<string, StoredControls> = new Map();
  let version = '';
  let calledOff: ReadonlySet<string> = new Set();

  async function refresh(): Promise<void> {
    const latest = await store.version();
    if (latest === version) return;
    controls = await store.all();
    version = latest;
  }

  function tellCalledOff(): void {
    const before = calledOff;
    calledOff = new Set([...controls].filter(([, one]) => isOff(one, now())).map(([id]) => id));
    for (const id of calledOff) {
      const { cancelledAtMs = 0, deadline = 0 } = controls.get(id) ?? {};
      const sinceMs = Math.max(cancelledAtMs, new Date(deadline).getTime());
      if (!before.has(id) && now() - sinceMs < RECENT_MS) onCalledOff(id);
    }
  }

  await refresh();
  let refreshing: Promise<void> | undefined;
  const timer = setInterval(() => {
    // While Redis is slow, one look at a time.
    refreshing ??= refresh()
      .catch((error: Error) => onError(error, { doing: 'read campaign controls' }))
      .then(tellCalledOff)
      .finally(() => {
        refreshing = undefined;
      });
  }, refreshEveryMs);

  return {
    of: (campaignId) => controls.get(campaignId) ?? {},
    isCancelled: (campaignId) => isOff(controls.get(campaignId), now()),
    refresh,
    async stop() {
      clearInterval(timer);
      await refreshing;
    },
  };
}

function isOff(controls: StoredControls | undefined, nowMs: number): boolean {
  if (controls === undefined) return false;
  const { cancelledAtMs, deadline } = controls;
  return cancelledAtMs !== undefined || (deadline !== undefined && nowMs > Date.parse(deadline));
}
