/** The server's events: each is the whole state of what is watched. */
import { useEffect, useState } from 'preact/hooks';
import { currentSession } from './api.ts';

export interface Live<T> {
  /** Undefined until the first event; null for a campaign of which nothing was counted. */
  readonly state: T | null | undefined;
  /** `stale`: the numbers may be old. */
  readonly freshness: 'connecting' | 'live' | 'stale';
}

// Longer than two of the server's signs of life: without any, the connection or the server is dead.
const SILENT_MAX_MS = 40_000;
// A browser does not come back by itself to what was refused: too many pages may be open.
const REFUSED_RETRY_MS = 10_000;

export function useLive<T>(event: string, search: string): Live<T> {
  const [live, setLive] = useState<Live<T>>({ state: undefined, freshness: 'connecting' });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => setLive({ state: undefined, freshness: 'connecting' }), [event, search]);
  useEffect(() => {
    let timer: number | undefined;
    let silence: number | undefined;
    const source = new EventSource(`v1/stream?${search}`);
    const goStale = () => setLive(({ state }) => ({ state, freshness: 'stale' }));
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        source.close();
        goStale();
        setAttempt((before) => before + 1);
      }, SILENT_MAX_MS);
    };
    heard();
    source.onopen = heard;
    source.addEventListener('alive', heard);
    // Not before: a stream that is open has told nothing yet.
    source.addEventListener(event, ({ data }) => {
      heard();
      setLive({ state: JSON.parse(data as string) as T | null, freshness: 'live' });
    });
    source.addEventListener('stale', ({ data }) => {
      heard();
      const { stale } = JSON.parse(data as string) as { stale: boolean };
      setLive(({ state }) => ({
        state,
        freshness: stale ? 'stale' : state === undefined ? 'connecting' : 'live',
      }));
    });
    source.onerror = () => {
      goStale();
      if (source.readyState !== EventSource.CLOSED) return;
      // It may be that the session has ended: that shows the sign-in.
      void currentSession().catch(() => undefined);
      timer = setTimeout(() => setAttempt((before) => before + 1), REFUSED_RETRY_MS);
    };
    return () => {
      clearTimeout(timer);
      clearTimeout(silence);
      source.close();
    };
  }, [event, search, attempt]);
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
