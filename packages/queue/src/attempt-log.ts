/**
 * The attempt log: for each bundle a hash that outlives its jobs.
 *
 *     bundle           what its webhooks have in common: campaign, channel, time of acceptance
 *     <index>.<n>      the n-th attempt of the webhook at <index>, as a short array (see encodeAttempt)
 *     <index>.claim    the job that may attempt the webhook, where two might (claim-webhooks.lua)
 *     <index>.cancelled  its message: the webhook was cancelled
 *     <index>.waits    the webhook waits for its batch (batches.ts): "batch", the lot, and its message
 *     <index>.batch    the batch that the webhook left in (batches.ts): its attempts are the batch's
 *     <index>.replay   the attempt that a replay will make, or made
 *     <index>.generation      the campaign's generation (change-controls.lua) in which that replay was asked for
 *     <index>.stopped.<g>     the attempt that a replay of generation g did not make, because the campaign was cancelled
 *     <index>.stopped  the same, as earlier versions write it, of any generation
 *     <index>.webhook  the webhook itself, once it is a dead letter: what a replay needs
 *
 * What a webhook with one attempt costs, by MEMORY USAGE of Redis 7.0 (test/attempt-log.test.ts), in bytes:
 *
 *                                            alone   in a bundle of 25
 *     delivered                                400                 148
 *     failed, with 1 KiB of the response      1584                1332
 *
 * An inline destination adds its JSON once a bundle, a dead letter its webhook's JSON, each further attempt what an
 * attempt in a bundle costs. A million delivered webhooks in bundles of 25 are 150 MB for HOOKFLEET_ATTEMPT_RETENTION.
 *
 * It answers three questions: what became of a webhook (the API), what has been done already (a bundle that runs
 * again after a crash), and what can be replayed. A record is written once: the first one of an attempt stands.
 */
import type {
  AttemptCause,
  Bundle,
  BundledWebhook,
  Outcome,
  OutcomeEvent,
  OutcomeReason,
  PhasesMs,
} from '@hookfleet/contract';
import { isBatch, RESPONSE_EXCERPT_BYTES_MAX, recipientsOf } from '@hookfleet/contract';
import type { RedisConnection } from './connection.ts';
import { dueLaterField, growthOfRetries, retryField } from './due-later.ts';
import { attemptLogKey, attemptsCounterKey, deadLettersKey, dueLaterKey, webhookJobKey } from './keys.ts';
import { isTime, parseStored, readObject } from './read-stored.ts';
import { runScript } from './scripts.ts';

export interface LoggedAttempt {
  readonly attempt: number;
  readonly event: OutcomeEvent;
  readonly reason?: OutcomeReason;
  readonly statusCode?: number;
  readonly durationMs: number;
  readonly occurredAtMs: number;
  readonly workerId: string;
  readonly final: boolean;
  readonly nextAttemptAtMs?: number;
  readonly messageId: string;
  readonly responseBody?: string;
  readonly phases: PhasesMs;
  readonly cause?: AttemptCause;
}

export interface BundleLog {
  /** By the webhook's index, in the order of the attempts. */
  readonly attempts: ReadonlyMap<number, readonly LoggedAttempt[]>;
  /** By the webhook's index: the job that claimed it. */
  readonly claims: ReadonlyMap<number, string>;
  /** The indexes of webhooks that wait for their batch, or did. */
  readonly waiting: ReadonlySet<number>;
  /** The indexes of webhooks that were cancelled. */
  readonly cancelled: ReadonlySet<number>;
  /** The indexes of webhooks that left in a batch. */
  readonly batched: ReadonlySet<number>;
  /** The fields of attempts that nobody can read: they are as good as not made. */
  readonly unreadable: readonly string[];
}

export interface AttemptRecord {
  readonly bundle: Bundle;
  readonly webhook: BundledWebhook;
  readonly outcome: Outcome;
  readonly nextAttemptAtMs: number | undefined;
  readonly phases?: PhasesMs | undefined;
  readonly cause?: AttemptCause | undefined;
}

export interface AttemptRetention {
  /** Kept so long after the last attempt. */
  readonly attemptsMs: number;
  /** Kept so long where the webhook is a dead letter. */
  readonly deadLettersMs: number;
}

/** What a bundle's webhooks have in common, as the log keeps it. */
export type BundleHead = Pick<
  Bundle,
  | 'campaignId'
  | 'acceptedAt'
  | 'channelConfigId'
  | 'deliverAt'
  | 'destination'
  | 'sealedDestination'
  | 'trace'
> & {
  /** Of a batch. */
  readonly recipients?: number;
};

/**
 * Writes the attempts of one shard in one script call. Of those that had a record already, returns what stands: of a
 * worker that lost the bundle and lives, or ours, where the connection lost the reply and asked again. A record that nobody
 * can read is replaced.
 */
export async function recordAttempts(
  connection: RedisConnection,
  shardTag: string,
  records: readonly AttemptRecord[],
  retention: AttemptRetention,
): Promise<ReadonlyMap<AttemptRecord, LoggedAttempt>> {
  const keys = [attemptsCounterKey(shardTag), dueLaterKey(shardTag)];
  const written: AttemptRecord[] = [];
  const doubles = new Map<AttemptRecord, AttemptRecord>();
  const args: (string | number)[] = [];
  const byLog = Map.groupBy(records, ({ bundle: { run, first } }) => attemptLogKey(shardTag, run, first));
  for (const [key, ofLog] of byLog) {
    const [{ bundle }] = ofLog as [AttemptRecord];
    const first = firstOfEach(ofLog);
    const attempts = [...first.values()];
    for (const record of ofLog) {
      const stands = first.get(attemptField(record));
      if (stands !== undefined && stands !== record) doubles.set(record, stands);
    }
    const moving = attempts.filter(movesDeadLetter);
    const others = attempts.filter((record) => !movesDeadLetter(record));
    written.push(...others, ...moving);
    args.push(
      keys.push(key),
      Math.max(...attempts.map((record) => lifetimeOf(record, retention))),
      JSON.stringify(toHead(bundle)),
      others.length,
      moving.length,
      ...others.map(attemptField),
      ...others.flatMap((record) => [attemptField(record), encodeAttempt(record)]),
    );
    // A bundle is of one campaign: its dead letters are in one set.
    const deadLetters = moving.length > 0 ? keys.push(deadLettersKey(shardTag, bundle.campaignId)) : 0;
    for (const record of moving) {
      const { webhook, outcome } = record;
      const leaves = outcome.event === 'webhook.delivered';
      args.push(
        attemptField(record),
        encodeAttempt(record),
        deadLetters,
        leaves ? '' : `${webhook.index}.webhook`,
        leaves ? '' : JSON.stringify(webhook),
        outcome.webhookId,
        Date.parse(outcome.occurredAt),
        retention.deadLettersMs,
      );
    }
  }
  const changes = written.flatMap(({ bundle, webhook, outcome }, place) => {
    const growth = growthOfRetries(bundle, webhook, outcome.final);
    return growth === 0 ? [] : [place, retryField(bundle), growth];
  });
  const reply = (await runScript(connection, 'recordAttempts', keys, [
    changes.length / 3,
    ...changes,
    ...args,
  ])) as (number | string)[];
  const standing = new Map<AttemptRecord, LoggedAttempt>();
  const replaced: AttemptRecord[] = [];
  for (let i = 0; i < reply.length; i += 2) {
    const record = written[Number(reply[i])] as AttemptRecord;
    const stands = decodeAttempt(record.outcome.attempt, String(reply[i + 1]));
    if (stands === undefined) replaced.push(record);
    else standing.set(record, stands);
  }
  if (replaced.length > 0) {
    for (const record of replaced) {
      const { run, first } = record.bundle;
      await connection.hdel(attemptLogKey(shardTag, run, first), attemptField(record));
    }
    const stand = await recordAttempts(connection, shardTag, replaced, retention);
    for (const [record, stands] of stand) standing.set(record, stands);
  }
  for (const [record, first] of doubles) standing.set(record, standing.get(first) ?? toLogged(first));
  return standing;
}

/** What came first of each attempt, by its field: it stands, also where a second one is written with it. */
function firstOfEach(records: readonly AttemptRecord[]): ReadonlyMap<string, AttemptRecord> {
  const first = new Map<string, AttemptRecord>();
  for (const record of records) {
    const field = attemptField(record);
    if (!first.has(field)) first.set(field, record);
  }
  return first;
}

function attemptField({ webhook, outcome }: AttemptRecord): string {
  return `${webhook.index}.${outcome.attempt}`;
}

function endsUndelivered({ outcome }: AttemptRecord): boolean {
  return outcome.final && outcome.event !== 'webhook.delivered';
}

/** Whether the webhook becomes a dead letter, or was one and a replay delivered it. */
function movesDeadLetter(record: AttemptRecord): boolean {
  const { bundle, outcome } = record;
  const isReplay = bundle.attemptsBefore !== undefined;
  return endsUndelivered(record) || (isReplay && outcome.event === 'webhook.delivered');
}

/** Notes that webhooks of the bundle wait for their batch, so that they are found without a job. */
export async function noteWaiting(
  connection: RedisConnection,
  shardTag: string,
  bundle: Bundle,
  lot: string,
  webhooks: readonly BundledWebhook[],
  lifetimeMs: number,
): Promise<void> {
  await runScript(
    connection,
    'noteWebhooks',
    [attemptLogKey(shardTag, bundle.run, bundle.first), dueLaterKey(shardTag)],
    [
      lifetimeMs,
      JSON.stringify(toHead(bundle)),
      '',
      ...webhooks.flatMap((webhook) => [`${webhook.index}.waits`, `batch ${lot} ${webhook.messageId}`, 1]),
    ],
  );
}

/**
 * Notes that webhooks of the bundle left in a batch. May be repeated. A note of waiting has begun their log; where it was
 * lost with a master that failed, it is begun again by what their lot knows of them.
 */
export async function noteBatch(
  connection: RedisConnection,
  shardTag: string,
  { run, first }: Pick<Bundle, 'run' | 'first'>,
  head: BundleHead,
  indexes: readonly number[],
  { lot, messageId, batchId }: { readonly lot: string; readonly messageId: string; readonly batchId: string },
  lifetimeMs: number,
): Promise<void> {
  await runScript(
    connection,
    'noteWebhooks',
    [attemptLogKey(shardTag, run, first), dueLaterKey(shardTag)],
    [
      lifetimeMs,
      JSON.stringify(head),
      '',
      ...indexes.flatMap((index) => [
        ...[`${index}.waits`, `batch ${lot} ${messageId}`, 1],
        ...[`${index}.batch`, batchId, 1],
      ]),
    ],
  );
}

/** Notes that webhooks of the bundle are cancelled. */
export async function noteCancelled(
  connection: RedisConnection,
  shardTag: string,
  bundle: Bundle,
  webhooks: readonly BundledWebhook[],
  lifetimeMs: number,
): Promise<void> {
  await runScript(
    connection,
    'noteWebhooks',
    [attemptLogKey(shardTag, bundle.run, bundle.first), dueLaterKey(shardTag)],
    [
      lifetimeMs,
      JSON.stringify(toHead(bundle)),
      dueLaterField(bundle) ?? '',
      ...webhooks.flatMap((webhook) => [
        `${webhook.index}.cancelled`,
        webhook.messageId,
        recipientsOf(webhook),
      ]),
    ],
  );
}

/** Of what was attempted: the bundle's attempt and later ones, where it holds a single webhook. */
export async function readBundleLog(
  connection: RedisConnection,
  shardTag: string,
  bundle: Bundle,
): Promise<BundleLog> {
  const key = attemptLogKey(shardTag, bundle.run, bundle.first);
  const [webhook] = bundle.webhooks;
  // A retry travels alone: of its bundle's log, and its own past, it needs no more than this.
  if (webhook !== undefined && bundle.webhooks.length === 1) {
    const { attempt } = bundle;
    const names = [attempt, attempt + 1, 'claim', 'waits', 'batch', 'cancelled'];
    const fields = names.map((name) => `${webhook.index}.${name}`);
    const values = await connection.hmget(key, ...fields);
    return parseLog(
      Object.fromEntries(fields.flatMap((field, i) => (values[i] == null ? [] : [[field, values[i]]]))),
    );
  }
  return parseLog(await connection.hgetall(key));
}

/** Claims the bundle's webhooks for the job and reads the log, in one step. */
export async function claimWebhooks(
  connection: RedisConnection,
  shardTag: string,
  bundle: Bundle,
  jobId: string,
  lifetimeMs: number,
): Promise<BundleLog> {
  const indexes = bundle.webhooks.map((webhook) => webhook.index);
  const reply = await runScript(
    connection,
    'claimWebhooks',
    [attemptLogKey(shardTag, bundle.run, bundle.first), webhookJobKey(shardTag, '')],
    [jobId, lifetimeMs, ...indexes],
  );
  const flat = reply as string[];
  return parseLog(
    Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]])),
  );
}

/**
 * Notes that the webhook's replay is on its way. Its job may have been stopped already: a generation that is cancelled
 * stays cancelled, so the note of that stop stays, and the webhook is a dead letter.
 */
export async function noteReplay(
  connection: RedisConnection,
  key: string,
  index: number,
  { attempt, generation = 0 }: Pick<Bundle, 'attempt' | 'generation'>,
): Promise<void> {
  await connection
    .multi()
    .hset(key, `${index}.replay`, attempt, `${index}.generation`, generation)
    .hdel(key, `${index}.stopped`)
    .exec();
}

/** Notes that replays of the bundle's webhooks end without the attempt that the bundle stands for. */
export async function noteReplayStopped(
  connection: RedisConnection,
  shardTag: string,
  bundle: Bundle,
  webhooks: readonly BundledWebhook[],
  lifetimeMs: number,
): Promise<void> {
  await runScript(
    connection,
    'noteWebhooks',
    [attemptLogKey(shardTag, bundle.run, bundle.first), dueLaterKey(shardTag)],
    [
      lifetimeMs,
      JSON.stringify(toHead(bundle)),
      dueLaterField(bundle) ?? '',
      ...webhooks.flatMap((webhook) => [
        `${webhook.index}.stopped.${bundle.generation ?? 0}`,
        bundle.attempt,
        recipientsOf(webhook),
      ]),
    ],
  );
}

export interface WebhookLog {
  readonly head: BundleHead;
  /** The attempt of the latest replay. */
  readonly replay: number | undefined;
  /** The attempt that the latest replay did not make: the webhook is a dead letter. */
  readonly stopped: number | undefined;
  readonly messageId: string;
  readonly attempts: readonly LoggedAttempt[];
  readonly isCancelled: boolean;
  /** The batch that the webhook left in. */
  readonly batchId: string | undefined;
}

/** Did the webhook end undelivered, and is no replay of it on its way? */
export function isDeadLetter({ attempts, replay = 0, stopped }: WebhookLog): boolean {
  const last = attempts.at(-1);
  if (last === undefined || attempts.some(({ event }) => event === 'webhook.delivered')) return false;
  return stopped === last.attempt + 1 || (last.final && replay <= last.attempt);
}

/** One webhook's part of the log, and what the bundle had in common; undefined if nothing was attempted, or nobody can read it. */
export async function readWebhookLog(
  connection: RedisConnection,
  key: string,
  index: number,
): Promise<WebhookLog | undefined> {
  // Names first: the log of a dead letter holds whole webhooks, which are not wanted here.
  const fields = (await connection.hkeys(key)).filter((field) =>
    new RegExp(`^${index}\\.(?:\\d+|waits|batch|replay|generation|stopped(?:\\.\\d+)?|cancelled)$`).test(
      field,
    ),
  );
  if (fields.length === 0) return undefined;
  const [head, ...values] = await connection.hmget(key, 'bundle', ...fields);
  const bundleHead = readObject<BundleHead>(
    head ?? '',
    ({ campaignId, acceptedAt, deliverAt = 0 }) =>
      typeof campaignId === 'string' && isTime(acceptedAt) && isTime(deliverAt),
  );
  if (bundleHead === undefined) return undefined;
  const log = parseLog(Object.fromEntries(fields.map((field, i) => [field, values[i] ?? ''])));
  const attempts = log.attempts.get(index) ?? [];
  const waits = values[fields.indexOf(`${index}.waits`)];
  const cancelled = values[fields.indexOf(`${index}.cancelled`)];
  const messageId = attempts.at(-1)?.messageId ?? cancelled ?? waits?.split(' ')[2] ?? '';
  const numberOf = (name: string) => {
    const text = values[fields.indexOf(`${index}.${name}`)];
    return text === null || text === undefined ? undefined : Number(text);
  };
  return {
    head: bundleHead,
    messageId,
    attempts,
    isCancelled: cancelled !== undefined,
    batchId: values[fields.indexOf(`${index}.batch`)] ?? undefined,
    replay: numberOf('replay'),
    stopped: numberOf(`stopped.${numberOf('generation') ?? 0}`) ?? numberOf('stopped'),
  };
}

/** A webhook that waits for its next attempt must still find its log then. */
function lifetimeOf(record: AttemptRecord, retention: AttemptRetention): number {
  if (endsUndelivered(record)) return retention.deadLettersMs;
  const { nextAttemptAtMs, outcome } = record;
  const waitMs =
    nextAttemptAtMs === undefined ? 0 : Math.max(0, nextAttemptAtMs - Date.parse(outcome.occurredAt));
  return retention.attemptsMs + Math.ceil(waitMs);
}

function toHead(bundle: Bundle): BundleHead {
  const { campaignId, acceptedAt, channelConfigId, deliverAt, destination, sealedDestination, trace } =
    bundle;
  return {
    campaignId,
    acceptedAt,
    ...(channelConfigId !== undefined && { channelConfigId }),
    ...(deliverAt !== undefined && { deliverAt }),
    ...(destination !== undefined && { destination }),
    ...(sealedDestination !== undefined && { sealedDestination }),
    ...(trace !== undefined && { trace }),
    ...(isBatch(bundle) && { recipients: recipientsOf(bundle.webhooks[0] as BundledWebhook) }),
  };
}

type EncodedAttempt = [
  event: OutcomeEvent,
  reason: OutcomeReason | 0,
  statusCode: number,
  durationMs: number,
  occurredAtMs: number,
  workerId: string,
  final: 0 | 1,
  nextAttemptAtMs: number,
  messageId: string,
  /** 0: none, but more follows. */
  responseBody?: string | 0,
  /**
   * In the order of PHASES, -1 where one did not occur, cut behind the last that did; a first one alone is no list. -1:
   * none, but more follows.
   */
  phases?: number | number[],
  /** Its code, with its address where it has one. */
  cause?: [code: AttemptCause['code'], address?: string],
];

// The one that nearly every attempt has comes first: of a connection that is used again it is the only one.
const PHASES = ['firstByte', 'connect', 'tls', 'dns'] as const satisfies readonly (keyof PhasesMs)[];

function encodePhases(phases: PhasesMs = {}): number | number[] | undefined {
  const all = PHASES.map((phase) => phases[phase] ?? -1);
  const list = all.slice(0, all.findLastIndex((ms) => ms >= 0) + 1);
  return list.length > 1 ? list : list[0];
}

function decodePhases(encoded: number | number[] = []): PhasesMs {
  const list = typeof encoded === 'number' ? [encoded] : encoded;
  return Object.fromEntries(PHASES.flatMap((phase, i) => ((list[i] ?? -1) < 0 ? [] : [[phase, list[i]]])));
}

function encodeAttempt({ outcome, nextAttemptAtMs, phases, cause }: AttemptRecord): string {
  const encoded: EncodedAttempt = [
    outcome.event,
    outcome.reason ?? 0,
    outcome.statusCode ?? 0,
    outcome.durationMs,
    Date.parse(outcome.occurredAt),
    outcome.workerId,
    outcome.final ? 1 : 0,
    nextAttemptAtMs ?? 0,
    outcome.messageId,
  ];
  if (outcome.responseBody !== undefined)
    encoded.push(outcome.responseBody.slice(0, RESPONSE_EXCERPT_BYTES_MAX));
  const encodedPhases = encodePhases(phases) ?? (cause === undefined ? undefined : -1);
  if (encodedPhases !== undefined) {
    if (outcome.responseBody === undefined) encoded.push(0);
    encoded.push(encodedPhases);
  }
  if (cause !== undefined)
    encoded.push(cause.address === undefined ? [cause.code] : [cause.code, cause.address]);
  return JSON.stringify(encoded);
}

/** Undefined for a text that encodeAttempt did not write. */
function decodeAttempt(attempt: number, text: string): LoggedAttempt | undefined {
  const encoded = parseStored(text);
  if (!isEncodedAttempt(encoded)) return undefined;
  const [
    event,
    reason,
    statusCode,
    durationMs,
    occurredAtMs,
    workerId,
    final,
    nextAttemptAtMs,
    messageId,
    responseBody = 0,
    phases,
    cause,
  ] = encoded;
  return {
    attempt,
    event,
    ...(reason !== 0 && { reason }),
    ...(statusCode !== 0 && { statusCode }),
    durationMs,
    occurredAtMs,
    workerId,
    final: final === 1,
    ...(nextAttemptAtMs !== 0 && { nextAttemptAtMs }),
    messageId,
    ...(responseBody !== 0 && { responseBody }),
    phases: decodePhases(phases),
    ...(cause !== undefined && { cause: decodeCause(cause) }),
  };
}

function decodeCause([code, address]: NonNullable<EncodedAttempt[11]>): AttemptCause {
  return address === undefined ? { code } : { code, address };
}

function isEncodedAttempt(value: unknown): value is EncodedAttempt {
  if (!Array.isArray(value)) return false;
  const [event, reason, status, duration, occurredAt, worker, final, next, message, body, phases, cause] =
    value;
  const isText = (one: unknown) => typeof one === 'string';
  const isNumber = (one: unknown) => typeof one === 'number';
  return (
    [event, worker, message].every(isText) &&
    [status, duration, final].every(isNumber) &&
    [occurredAt, next].every(isTime) &&
    (reason === 0 || isText(reason)) &&
    (body === undefined || body === 0 || isText(body)) &&
    (phases === undefined || isNumber(phases) || (Array.isArray(phases) && phases.every(isNumber))) &&
    (cause === undefined || (Array.isArray(cause) && cause.length > 0 && cause.every(isText)))
  );
}

function toLogged(record: AttemptRecord): LoggedAttempt {
  return decodeAttempt(record.outcome.attempt, encodeAttempt(record)) as LoggedAttempt;
}

export function parseLog(fields: Record<string, string>): BundleLog {
  const attempts = new Map<number, LoggedAttempt[]>();
  const claims = new Map<number, string>();
  const waiting = new Set<number>();
  const cancelled = new Set<number>();
  const batched = new Set<number>();
  const unreadable: string[] = [];
  for (const [field, value] of Object.entries(fields)) {
    const [, index, what] = /^(\d+)\.(\d+|claim|waits|batch|cancelled)$/.exec(field) ?? [];
    if (index === undefined || what === undefined) continue;
    if (what === 'claim') claims.set(Number(index), value);
    else if (what === 'cancelled') cancelled.add(Number(index));
    else if (what === 'batch') batched.add(Number(index));
    else if (what === 'waits') waiting.add(Number(index));
    else {
      const entry = decodeAttempt(Number(what), value);
      if (entry === undefined) {
        unreadable.push(field);
        continue;
      }
      const entries = attempts.get(Number(index)) ?? [];
      entries.push(entry);
      attempts.set(Number(index), entries);
    }
  }
  for (const entries of attempts.values()) entries.sort((a, b) => a.attempt - b.attempt);
  return { attempts, claims, waiting, cancelled, batched, unreadable };
}
