/** The server's events: each is the whole state of what is watched. */
import { useEffect, useState } from 'preact/hooks';
import { currentSession } from './api.ts';

export interface Live<T> {
  /** Undefined until the first event; null for a campaign of which nothing was counted. */
  readonly state: T | null | undefined;
  /** `stale`: the numbers may be old. */
  readonly freshness: 'connecting' | 'live' | 'stale';
}

export function useLive<T>(event: string, search: string): Live<T> {
  const [live, setLive] = useState<Live<T>>({ state: undefined, freshness: 'connecting' });
  useEffect(() => {
    setLive({ state: undefined, freshness: 'connecting' });
    const source = new EventSource(`v1/stream?${search}`);
    source.addEventListener(event, ({ data }) =>
      setLive({ state: JSON.parse(data as string) as T | null, freshness: 'live' }),
    );
    source.addEventListener('stale', ({ data }) => {
      const { stale } = JSON.parse(data as string) as { stale: boolean };
      setLive(({ state }) => ({ state, freshness: stale ? 'stale' : 'live' }));
    });
    source.onopen = () => setLive(({ state }) => ({ state, freshness: 'live' }));
    source.onerror = () => {
      setLive(({ state }) => ({ state, freshness: 'stale' }));
      // A browser does not come back to what was refused: it may be that the session has ended.
      if (source.readyState === EventSource.CLOSED) void currentSession().catch(() => undefined);
    };
    return () => source.close();
  }, [event, search]);
  return live;
}

/** The time, moving: for what says how long ago something was. */
export function useNow(intervalMs = 5_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}
