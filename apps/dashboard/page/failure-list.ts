/**
 * The failures that are shown: they stay while new ones come, so that who reads one is not interrupted. What is read again is
 * all that is shown, and what is new before it. Reads take turns: none undoes another.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { call, path, query } from './api.ts';
import type { Failure, FailurePage } from './types.ts';

const PAGE_SIZE = 20;
const PAGE_MAX = 200;
// A list that was unfolded further than this is shortened when it is read again.
const READ_AGAIN_MAX = 1_000;

interface Shown extends FailurePage {
  /** The filter that these passed. */
  readonly reason: string;
}

export interface FailureList {
  /** Undefined until they are read. */
  readonly failures: readonly Failure[] | undefined;
  readonly hasMore: boolean;
  readonly problem: string | undefined;
  more(): void;
  remove(webhookId: string): void;
}

/** `failed`: when this number changes, so may the list. */
export function useFailures(campaignId: string, reason: string, failed: number): FailureList {
  const [state, setState] = useState<Shown>();
  const [problem, setProblem] = useState<string>();
  const latest = useRef<Shown | undefined>(undefined);
  const wanted = useRef(reason);
  const turn = useRef(Promise.resolve());
  const isQueued = useRef(false);
  wanted.current = reason;

  const read = (limit: number, cursor?: string) =>
    call<FailurePage>(`${path.campaign(campaignId)}/failures?${query({ reason, limit, cursor })}`);
  const show = (shown: Shown) => {
    latest.current = shown;
    setState(shown);
  };

  function inTurn(work: () => Promise<FailurePage>): void {
    turn.current = turn.current.then(async () => {
      if (wanted.current !== reason) return;
      try {
        const page = await work();
        if (wanted.current === reason) show({ ...page, reason });
        setProblem(undefined);
      } catch (error) {
        setProblem((error as Error).message);
      }
    });
  }

  const shownNow = () => (latest.current?.reason === reason ? latest.current : undefined);

  useEffect(() => {
    if (isQueued.current && latest.current?.reason === reason) return;
    isQueued.current = true;
    inTurn(() => {
      isQueued.current = false;
      return readAgain(read, shownNow()?.failures ?? []);
    });
  }, [campaignId, reason, failed]);

  const shown = state?.reason === reason ? state : undefined;
  return {
    failures: shown?.failures,
    hasMore: shown?.cursor !== undefined,
    problem,
    more: () =>
      inTurn(async () => {
        const { failures = [], cursor } = shownNow() ?? {};
        const page = await read(PAGE_SIZE, cursor);
        const known = new Set(failures.map(({ webhookId }) => webhookId));
        return {
          ...page,
          failures: [...failures, ...page.failures.filter((one) => !known.has(one.webhookId))],
        };
      }),
    remove(webhookId) {
      const now = shownNow();
      if (now !== undefined)
        show({ ...now, failures: now.failures.filter((one) => one.webhookId !== webhookId) });
    },
  };
}

/** The first page, or as far as the last of `shown` reaches. */
export async function readAgain(
  read: (limit: number, cursor?: string) => Promise<FailurePage>,
  shown: readonly Failure[],
): Promise<FailurePage> {
  const last = shown.at(-1);
  const failures: Failure[] = [];
  let cursor: string | undefined;
  do {
    // Some that are new may come before those that are shown.
    const wanted = shown.length === 0 ? PAGE_SIZE : shown.length + PAGE_SIZE - failures.length;
    const page = await read(Math.min(PAGE_MAX, Math.max(PAGE_SIZE, wanted)), cursor);
    failures.push(...page.failures);
    cursor = page.cursor;
  } while (cursor !== undefined && failures.length < READ_AGAIN_MAX && !reaches(failures, last));
  return { failures, ...(cursor !== undefined && { cursor }) };
}

/** ISO times of one form: in the order of their text. */
function reaches(failures: readonly Failure[], last: Failure | undefined): boolean {
  if (last === undefined) return true;
  return (
    failures.some(({ webhookId }) => webhookId === last.webhookId) ||
    (failures.at(-1)?.endedAt ?? '') < last.endedAt
  );
}
