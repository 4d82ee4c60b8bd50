/**
 * A story: a few steps, each of one or two operations on a fleet. Campaigns and channels have numbers; each run of the
 * story gives them fresh ids. A story is plain JSON, so it can be printed, shortened and run again.
 */

/** What a destination answers. */
export const SCRIPTS = ['ok', 'slow', 'slower', 'flaky', 'reject', 'down'] as const;
export type Script = (typeof SCRIPTS)[number];
export const METHODS = ['POST', 'PUT', 'GET'] as const;
export type Method = (typeof METHODS)[number];

export interface RateLimit {
  readonly limit: number;
  readonly per: 'second';
  readonly burst?: number;
}

export interface Limits {
  readonly rateLimit?: RateLimit;
  readonly concurrencyLimit?: number;
  readonly batch?: { readonly size: number; readonly maxWaitMs: number };
}

export type Target = { readonly channel: number } | { readonly script: Script; readonly method: Method };

export type Operation =
  | {
      readonly kind: 'put-channel';
      readonly channel: number;
      readonly script: Script;
      readonly method: Method;
      readonly limits: Limits;
    }
  | {
      readonly kind: 'enqueue';
      readonly campaign: number;
      readonly to: Target;
      readonly count: number;
      readonly as: 'single' | 'bulk';
      readonly deliverInMs?: number;
      /** `twice`: the same call is made again, and must enqueue nothing. */
      readonly key: 'none' | 'once' | 'twice';
    }
  | {
      readonly kind: 'pause-campaign' | 'resume-campaign' | 'cancel-campaign';
      readonly campaign: number;
    }
  /** Every destination answers 200 from then on. */
  | { readonly kind: 'replay-campaign'; readonly campaign: number }
  | { readonly kind: 'pause-channel' | 'resume-channel'; readonly channel: number }
  | {
      readonly kind: 'put-controls';
      readonly campaign: number;
      readonly rateLimit?: RateLimit;
      readonly priority?: 'high' | 'normal' | 'low';
      readonly deadlineInMs?: number;
    }
  | { readonly kind: 'kill-worker' | 'stop-worker' | 'start-worker'; readonly worker: number };

export interface Step {
  /** After the end of the step before. */
  readonly waitMs: number;
  /** Begun together. */
  readonly operations: readonly Operation[];
}

export interface Story {
  readonly seed: number;
  readonly steps: readonly Step[];
}

/** Throws for what is no story. Its operations are taken on trust: the fleet refuses what makes no sense. */
export function parseStory(text: string): Story {
  const story = JSON.parse(text) as Partial<Story>;
  if (typeof story.seed !== 'number' || !Array.isArray(story.steps))
    throw new TypeError('The file holds no story: an object with seed and steps is needed.');
  return story as Story;
}

/** `deliverInMs` from here on is not waited for: such webhooks are cancelled at the end. */
export const FAR_MS = 600_000;

export function isFar(deliverInMs: number | undefined): boolean {
  return deliverInMs !== undefined && deliverInMs >= FAR_MS;
}

export function operationsOf({ steps }: Story): Operation[] {
  return steps.flatMap(({ operations }) => operations);
}

export function webhooksOf(story: Story): number {
  return operationsOf(story).reduce((sum, one) => sum + (one.kind === 'enqueue' ? one.count : 0), 0);
}

const ANSWERS: Readonly<Record<Script, string>> = {
  ok: 'answers 200 at once',
  slow: 'answers 200 after 120 ms',
  slower: 'answers 200 after 300 ms',
  flaky: 'answers 503, then 200',
  reject: 'answers 422',
  down: 'always answers 503',
};

function rateText({ limit, burst }: RateLimit): string {
  return `rate ${limit}/s${burst === undefined ? '' : ` burst ${burst}`}`;
}

function list(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(', ');
}

/** An operation, as its reader would say it. */
export function operationText(operation: Operation): string {
  switch (operation.kind) {
    case 'put-channel': {
      const { channel, script, method, limits } = operation;
      const { rateLimit, concurrencyLimit, batch } = limits;
      const settings = list([
        rateLimit && rateText(rateLimit),
        concurrencyLimit === undefined ? undefined : `concurrency limit ${concurrencyLimit}`,
        batch && `batches of ${batch.size} after ${batch.maxWaitMs} ms at most`,
      ]);
      return `put channel ${channel}: ${method}, ${ANSWERS[script]}, ${settings || 'no limits'}`;
    }
    case 'enqueue': {
      const { campaign, to, count, as, deliverInMs, key } = operation;
      const where =
        'channel' in to ? `channel ${to.channel}` : `a ${to.method} URL that ${ANSWERS[to.script]}`;
      const when = deliverInMs === undefined ? undefined : `deliverAt in ${deliverInMs / 1_000} s`;
      const keyed = { none: undefined, once: 'with keys', twice: 'with keys, called twice' }[key];
      const how = list([as === 'bulk' ? 'in bulk' : 'by single calls', when, keyed]);
      return `enqueue ${count} webhooks of campaign ${campaign} to ${where}, ${how}`;
    }
    case 'put-controls': {
      const { campaign, rateLimit, priority, deadlineInMs } = operation;
      const controls = list([
        rateLimit && rateText(rateLimit),
        priority && `priority ${priority}`,
        deadlineInMs === undefined ? undefined : `deadline in ${deadlineInMs / 1_000} s`,
      ]);
      return `put controls of campaign ${campaign}: ${controls || 'none'}`;
    }
    case 'replay-campaign':
      return `all destinations recover; replay campaign ${operation.campaign}`;
    case 'pause-campaign':
    case 'resume-campaign':
    case 'cancel-campaign':
      return `${operation.kind.replace('-', ' ')} ${operation.campaign}`;
    case 'pause-channel':
    case 'resume-channel':
      return `${operation.kind.replace('-', ' ')} ${operation.channel}`;
    case 'kill-worker':
      return `kill worker ${operation.worker} (SIGKILL) and start it again`;
    case 'stop-worker':
      return `stop worker ${operation.worker} (SIGTERM)`;
    case 'start-worker':
      return `start worker ${operation.worker}`;
  }
}
