/**
 * A seed's story: the same on every machine. Operations are drawn so that most do something: a campaign is resumed
 * mostly while it is paused, and webhooks go to channels that exist.
 *
 * Destinations that fail get so few webhooks that no circuit opens: 20 failures in a row would, and what an open circuit
 * holds back would make every promise about time void.
 */
import { randomOf } from '../chaos/fault-plan.ts';
import {
  type Limits,
  METHODS,
  type Operation,
  type RateLimit,
  type Script,
  type Step,
  type Story,
  type Target,
} from './story.ts';

export interface StorySize {
  readonly steps: { readonly min: number; readonly max: number };
  readonly webhooksMax: number;
}

export const STORY_LONG: StorySize = { steps: { min: 8, max: 16 }, webhooksMax: 240 };
export const STORY_SHORT: StorySize = { steps: { min: 6, max: 9 }, webhooksMax: 120 };

const CAMPAIGNS = 2;
const CHANNELS = 2;
// Two run from the start; the third is started by a story.
const WORKERS = 3;
// With three attempts each: below the 20 failures in a row that open a circuit.
const FAILING_MAX: Readonly<Partial<Record<Script, number>>> = { flaky: 15, down: 5 };
const BULK_COUNTS = [5, 20, 40, 60];
const HOURS_MS = 3 * 3_600_000;

export function generateStory(seed: number, size: StorySize = STORY_LONG): Story {
  const random = randomOf(seed * 7_919 + 13);
  const below = (count: number) => Math.floor(random() * count);
  const from = (min: number, max: number) => min + below(max - min + 1);
  const one = <T>(values: readonly T[]): T => values[below(values.length)] as T;
  const chance = (share: number) => random() < share;

  const scripts: readonly Script[] = Array.from({ length: CHANNELS }, () =>
    one(['ok', 'ok', 'ok', 'slow', 'slower', 'flaky', 'reject', 'down'] as const),
  );
  const failing = new Map<string, number>();
  const held = { campaign: new Set<number>(), channel: new Set<number>() };
  const methods = Array.from({ length: CHANNELS }, () => one(METHODS));
  const failed = new Set<number>();
  let webhooks = 0;
  let troubles = 0;

  function rateLimit(): RateLimit {
    const limit = one([5, 10, 20, 40]);
    return { limit, per: 'second', ...(chance(0.5) && { burst: one([1, 3, 10]) }) };
  }

  function limits(method: string): Limits {
    const kind = random();
    if (kind < 0.35) return {};
    if (kind < 0.6) return { rateLimit: rateLimit() };
    if (kind < 0.85 || method === 'GET') return { concurrencyLimit: from(1, 6) };
    return { batch: { size: 50, maxWaitMs: one([100, 300, 600]) } };
  }

  function putChannel(channel: number): Operation {
    const method = methods[channel - 1] ?? 'POST';
    return {
      kind: 'put-channel',
      channel,
      script: scripts[channel - 1] ?? 'ok',
      method,
      limits: limits(method),
    };
  }

  function target(): Target {
    if (chance(0.5)) return { channel: from(1, CHANNELS) };
    return {
      script: one(['ok', 'ok', 'ok', 'slow', 'slower', 'flaky', 'reject', 'down'] as const),
      method: one(METHODS),
    };
  }

  function enqueue(campaign = from(1, CAMPAIGNS)): Operation | undefined {
    const to = target();
    const as = chance(0.6) ? 'bulk' : 'single';
    const script = 'channel' in to ? scripts[to.channel - 1] : to.script;
    const place = JSON.stringify('channel' in to ? to : script);
    const room = (script && FAILING_MAX[script]) ?? Number.POSITIVE_INFINITY;
    const wanted = as === 'bulk' ? one(BULK_COUNTS) : from(1, 6);
    const count = Math.min(wanted, room - (failing.get(place) ?? 0), size.webhooksMax - webhooks);
    if (count <= 0) return undefined;
    failing.set(place, (failing.get(place) ?? 0) + count);
    webhooks += count;
    if (script === 'reject' || script === 'down') failed.add(campaign);
    const when = random();
    const deliverInMs = when < 0.15 ? from(300, 3_000) : when < 0.22 ? HOURS_MS : undefined;
    return {
      kind: 'enqueue',
      campaign,
      to,
      count,
      as,
      ...(deliverInMs !== undefined && { deliverInMs }),
      key: chance(0.7) ? 'none' : one(['once', 'twice'] as const),
    };
  }

  function putControls(campaign: number): Operation {
    const deadline = random();
    const deadlineInMs = deadline < 0.2 ? from(300, 2_000) : deadline < 0.35 ? 3_600_000 : undefined;
    return {
      kind: 'put-controls',
      campaign,
      ...(chance(0.4) && { rateLimit: rateLimit() }),
      ...(chance(0.4) && { priority: one(['high', 'normal', 'low'] as const) }),
      ...(deadlineInMs !== undefined && { deadlineInMs }),
    };
  }

  /** Mostly of a campaign that has dead letters, or will have. */
  function replay(): Operation | undefined {
    const campaign = [...failed][below(failed.size)];
    return campaign === undefined ? enqueue() : { kind: 'replay-campaign', campaign };
  }

  /** Held campaigns are mostly resumed, others mostly paused or cancelled. */
  function holdCampaign(campaign: number): Operation {
    if (held.campaign.has(campaign) && chance(0.75)) {
      held.campaign.delete(campaign);
      return { kind: 'resume-campaign', campaign };
    }
    held.campaign.add(campaign);
    return { kind: chance(0.5) ? 'pause-campaign' : 'cancel-campaign', campaign };
  }

  function holdChannel(): Operation {
    const [paused] = held.channel;
    if (paused !== undefined && chance(0.7)) {
      held.channel.delete(paused);
      return { kind: 'resume-channel', channel: paused };
    }
    const channel = from(1, CHANNELS);
    held.channel.add(channel);
    return { kind: 'pause-channel', channel };
  }

  function trouble(): Operation | undefined {
    troubles += 1;
    // At most one of them: a killed worker's locks take seconds to run out.
    if (troubles > 1) return undefined;
    const kind = one(['kill-worker', 'stop-worker', 'start-worker'] as const);
    return { kind, worker: kind === 'start-worker' ? WORKERS : from(1, WORKERS - 1) };
  }

  function operations(): (Operation | undefined)[] {
    const kind = random();
    const campaign = from(1, CAMPAIGNS);
    if (kind < 0.36) return [enqueue()];
    if (kind < 0.54) return [holdCampaign(campaign)];
    if (kind < 0.66) return [holdChannel()];
    if (kind < 0.72) return [putControls(campaign)];
    if (kind < 0.79) return [putControls(campaign), holdCampaign(campaign)];
    if (kind < 0.84) return [enqueue(campaign), holdCampaign(campaign)];
    if (kind < 0.9) return [putChannel(from(1, CHANNELS))];
    if (kind < 0.96) return [replay()];
    return [trouble()];
  }

  const steps: Step[] = Array.from({ length: CHANNELS }, (_, i) => ({
    waitMs: 0,
    operations: [putChannel(i + 1)],
  }));
  const wanted = from(size.steps.min, size.steps.max) + CHANNELS;
  const first = enqueue();
  if (first !== undefined) steps.push({ waitMs: 0, operations: [first] });
  while (steps.length < wanted) {
    const drawn = operations().filter((operation) => operation !== undefined);
    const waitMs = chance(0.5) ? from(0, 40) : chance(0.8) ? from(50, 400) : from(500, 1_200);
    if (drawn.length > 0) steps.push({ waitMs, operations: drawn });
  }
  return { seed, steps };
}
