/**
 * A fleet in virtual time: the lanes' own scripts in a real Redis, which are told the time, and workers of a few lines that
 * ask them as real ones do (apps/worker/src/send-webhooks.ts, lane-scheduler.ts). Hours pass in seconds, and nothing
 * depends on how fast the machine is.
 *
 * What it checks by itself, at each step:
 *   a job is in one place: the queue, a worker's hands, or a lane
 *   a lane in which a job waits, and which is not paused, has a time at which it is looked at
 *   nothing is sent for a campaign or a destination that is paused
 *   no rate and no concurrency is exceeded, by models of a line each: a leaky bucket, and a count
 */
import type { RedisConnection } from '../src/index.ts';
import {
  campaignLane,
  type LaneJob,
  type LaneLimits,
  openCircuits,
  openLanes,
  type Wait,
} from '../src/index.ts';
import { laneKeys } from '../src/keys.ts';
import { runVerb } from '../src/lanes.ts';
import { readLua } from '../src/read-lua.ts';

export const NO_LIMITS: LaneLimits = { intervalMs: 0, burst: 0, concurrency: 0 };

const LOOK_EVERY_MS = 250;
const PACE_MAX_MS = 25;
// A permit whose worker died ends then.
const PERMIT_MS = 30_000;
// BullMQ gives a dead worker's job to another one then.
const LOCK_MS = 30_000;
// A change holds for everything from then on; models are strict after it.
const CHANGE_HOLDS_MS = 1_000;
const TIMED_MAX_MS = 5_000;
const BUSY_LOOK_MS = 250;
// A bundle stays with its worker for so long while a rate lets its webhooks go one after the other.
const TURN_MS = 250;
// The script keeps thousandths.
const ROUNDING = 0.01;

function paceOf({ intervalMs, burst }: LaneLimits): number {
  return intervalMs === 0 ? PACE_MAX_MS : Math.min(PACE_MAX_MS, Math.max(2, (intervalMs * burst) / 2));
}

export interface VirtualFleetOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly workers: number;
  readonly slots: number;
  readonly latencyMs: number;
}

export interface VirtualJob {
  readonly campaignId: string;
  readonly lane: string;
  readonly requests: number;
  /** Of each request. */
  readonly recipients: number;
  readonly isRetry: boolean;
}

export interface SentRequest {
  readonly atMs: number;
  readonly campaignId: string;
  readonly lane: string;
  readonly recipients: number;
}

interface InHand extends VirtualJob {
  readonly id: string;
  left: number;
  inFlight: number;
  place: 'queue' | 'hand' | 'lane' | 'done';
}

interface VirtualWorker {
  free: number;
  /** Begun anew after each death: what was in the old one's hands is no business of the new one. */
  life: number;
  readonly withoutPermit: Map<string, number>;
  diesWhenItReleases: boolean;
  /** When each lane is to be released. */
  readonly releaseAtMs: Map<string, number>;
}

/** What a lane may do, by a model that knows nothing of the scripts. */
interface Model {
  limits: LaneLimits;
  changedAtMs: number;
  isPaused: boolean;
  /** Recipients in the leaky bucket, as of `atMs`, leaking by `intervalMs`. */
  level: number;
  intervalMs: number;
  atMs: number;
  inFlight: number;
}

export class VirtualFleet {
  readonly sent: SentRequest[] = [];
  #now = 1_700_000_000_000;
  readonly #options: VirtualFleetOptions;
  readonly #connection: RedisConnection;
  readonly #lanes: ReturnType<typeof openLanes>;
  readonly #events: { atMs: number; order: number; act: () => unknown }[] = [];
  readonly #jobs = new Map<string, InHand>();
  readonly #queue: InHand[] = [];
  readonly #workers: VirtualWorker[];
  readonly #models = new Map<string, Model>();
  #eventsEver = 0;
  #isChanged = false;

  constructor(options: VirtualFleetOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.#runScriptsInVirtualTime();
    this.#lanes = openLanes({
      connection: this.#connection,
      prefix: options.prefix,
      shards: 1,
      permitMs: PERMIT_MS,
      workerId: 'w',
    });
    this.#workers = Array.from({ length: options.workers }, () => ({
      free: options.slots,
      life: 0,
      withoutPermit: new Map(),
      diesWhenItReleases: false,
      releaseAtMs: new Map(),
    }));
    for (const [i, worker] of this.#workers.entries()) {
      this.after((i * LOOK_EVERY_MS) / options.workers, () => this.#lookAround(worker));
    }
  }

  get nowMs(): number {
    return this.#now;
  }

  after(ms: number, act: () => unknown): void {
    this.#events.push({ atMs: this.#now + ms, order: this.#eventsEver++, act });
  }

  /** Lets so much time pass. */
  async run(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      this.#events.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const next = this.#events[0];
      if (next === undefined || next.atMs > until) break;
      this.#events.shift();
      this.#now = next.atMs;
      await next.act();
      if (this.#isChanged) await this.#check();
      this.#isChanged = false;
    }
    this.#now = until;
  }

  async enqueue(job: VirtualJob): Promise<void> {
    const id = `job_${this.#jobs.size}`;
    const inHand: InHand = { ...job, id, left: job.requests, inFlight: 0, place: 'queue' };
    this.#jobs.set(id, inHand);
    this.#queue.push(inHand);
    await this.#takeFromQueue();
  }

  setLimits(lane: string, limits: LaneLimits): void {
    const model = this.#modelOf(lane);
    // What is sent from now on is within the new limit. Who was owed what before is the script's to say.
    model.level = 0;
    model.atMs = this.#now;
    model.intervalMs = limits.intervalMs;
    model.limits = limits;
    model.changedAtMs = this.#now;
  }

  async setPaused(lane: string, isPaused: boolean): Promise<void> {
    this.#modelOf(lane).isPaused = isPaused;
    await openCircuits({ connection: this.#connection, prefix: this.#options.prefix }).set(
      lane,
      isPaused ? { state: 'paused', sinceMs: 1, why: 'operator' } : undefined,
    );
  }

  /** A worker dies and comes back: its jobs are given to others when their locks end. What it has sent is recorded. */
  kill(index: number, when: 'now' | 'before it brings back what it releases next'): void {
    const worker = this.#workers[index % this.#workers.length] as VirtualWorker;
    if (when === 'now') this.#die(worker);
    else worker.diesWhenItReleases = true;
  }

  #die(worker: VirtualWorker): void {
    worker.diesWhenItReleases = false;
    worker.life += 1;
    worker.free = this.#options.slots;
    worker.withoutPermit.clear();
    worker.releaseAtMs.clear();
  }

  left(): number {
    return [...this.#jobs.values()].reduce((sum, { left }) => sum + left, 0);
  }

  async close(): Promise<void> {
    await this.#lanes.close();
  }

  /** The scripts read their time from a last argument. */
  #runScriptsInVirtualTime(): void {
    const commands = this.#connection as unknown as Record<string, unknown>;
    for (const [name, file] of [
      ['lane', 'lane'],
      ['claimDue', 'claim-due'],
    ] as const) {
      const source = readLua(file);
      const virtual = source.replaceAll(/(?:redis\.)?call\('TIME'\)/g, 'virtualTime');
      if (virtual === source) throw new Error(`${file} does not read the time`);
      const command = `${name}InVirtualTime`;
      this.#connection.defineCommand(command, {
        lua: `
          local virtualMs = tonumber(table.remove(ARGV))
          local virtualTime = { math.floor(virtualMs / 1000), math.floor(virtualMs % 1000 * 1000) }
          ${virtual}`,
      });
      const run = commands[command] as (...args: unknown[]) => Promise<unknown>;
      commands[name] = (...args: unknown[]) => run.call(this.#connection, ...args, this.#now);
    }
  }

  #modelOf(lane: string): Model {
    let model = this.#models.get(lane);
    if (model === undefined) {
      model = {
        limits: NO_LIMITS,
        changedAtMs: Number.NEGATIVE_INFINITY,
        isPaused: false,
        level: 0,
        intervalMs: 0,
        atMs: this.#now,
        inFlight: 0,
      };
      this.#models.set(lane, model);
    }
    return model;
  }

  #leak(model: Model): void {
    if (model.intervalMs > 0)
      model.level = Math.max(0, model.level - (this.#now - model.atMs) / model.intervalMs);
    model.atMs = this.#now;
  }

  #lanesOf({ campaignId, lane }: VirtualJob) {
    return { campaign: campaignLane(campaignId), destination: lane };
  }

  #laneJobOf(job: InHand): LaneJob {
    return {
      shard: 0,
      jobId: job.id,
      flow: job.isRetry ? `${job.campaignId} retries` : job.campaignId,
      requests: job.left,
      recipients: job.left * job.recipients,
    };
  }

  async #takeFromQueue(): Promise<void> {
    for (;;) {
      const worker = this.#workers.toSorted((a, b) => b.free - a.free)[0] as VirtualWorker;
      const job = worker.free > 0 ? this.#queue.shift() : undefined;
      if (job === undefined) return;
      job.place = 'hand';
      this.#isChanged = true;
      const life = worker.life;
      this.after(LOCK_MS, () => this.#giveToAnother(worker, life, job));
      await this.#send(worker, job);
    }
  }

  #giveToAnother(worker: VirtualWorker, life: number, job: InHand): Promise<void> | undefined {
    if (worker.life === life || job.place !== 'hand') return undefined;
    job.inFlight = 0;
    job.place = 'queue';
    this.#queue.push(job);
    return this.#takeFromQueue();
  }

  async #send(worker: VirtualWorker, job: InHand): Promise<void> {
    const life = worker.life;
    const turnEndsMs = this.#now + TURN_MS;
    await this.#sendSome(worker, life, job, turnEndsMs);
  }

  async #sendSome(worker: VirtualWorker, life: number, job: InHand, turnEndsMs: number): Promise<void> {
    if (worker.life !== life) return;
    const lanes = this.#lanesOf(job);
    while (job.left > 0) {
      if (worker.free === 0)
        return this.#wait(worker, job, { lane: job.lane, reason: 'busy', lookInMs: BUSY_LOOK_MS });
      const { granted, permits, wait } = await this.#lanes.admit({
        lanes,
        job: this.#laneJobOf(job),
        wanted: Math.min(job.left, worker.free),
        campaignLimits: this.#modelOf(lanes.campaign).limits,
        limits: this.#modelOf(lanes.destination).limits,
        withoutPermit: worker.withoutPermit.get(job.lane) ?? 0,
      });
      for (let i = 0; i < granted; i += 1) this.#begin(worker, job, permits[i]);
      if (wait?.reason === 'rate' && wait.lookInMs > 0) {
        const inMs = Math.max(wait.lookInMs, paceOf(this.#modelOf(wait.lane).limits));
        if (this.#now + inMs < turnEndsMs) {
          this.after(inMs, () => this.#sendSome(worker, life, job, turnEndsMs));
          return;
        }
        this.#releaseIn(inMs, worker, wait.lane);
      }
      if (wait !== undefined) return this.#wait(worker, job, wait);
    }
    for (const lane of Object.values(lanes)) this.#releaseIn(0, worker, lane);
    if (job.inFlight === 0) await this.#end(job);
  }

  #begin(worker: VirtualWorker, job: InHand, permit: string | undefined): void {
    const { campaignId, lane, recipients } = job;
    const request = { atMs: this.#now, campaignId, lane, recipients };
    this.sent.push(request);
    for (const name of Object.values(this.#lanesOf(job))) this.#checkMaySend(name, recipients);
    job.left -= 1;
    job.inFlight += 1;
    worker.free -= 1;
    const count = (by: number) => worker.withoutPermit.set(lane, (worker.withoutPermit.get(lane) ?? 0) + by);
    if (permit === undefined) count(1);
    const model = this.#modelOf(lane);
    model.inFlight += 1;
    const life = worker.life;
    this.after(this.#options.latencyMs, async () => {
      model.inFlight -= 1;
      // Nobody is there to hear the answer.
      if (worker.life !== life) return;
      job.inFlight -= 1;
      worker.free += 1;
      if (permit === undefined) count(-1);
      else await this.#lanes.giveBack(lane, [permit]);
      for (const name of Object.values(this.#lanesOf(job))) this.#releaseIn(PACE_MAX_MS, worker, name);
      if (job.left === 0 && job.inFlight === 0) await this.#end(job);
      await this.#takeFromQueue();
    });
  }

  async #end(job: InHand): Promise<void> {
    job.place = 'done';
    await this.#lanes.leave(this.#lanesOf(job), { shard: 0, jobId: job.id });
  }

  /** When all that it has in flight is answered: until then it stays in its worker's hands. */
  async #wait(worker: VirtualWorker, job: InHand, wait: Wait): Promise<void> {
    const life = worker.life;
    if (job.inFlight > 0) {
      this.after(PACE_MAX_MS, () => (worker.life === life ? this.#wait(worker, job, wait) : undefined));
      return;
    }
    job.place = 'lane';
    this.#isChanged = true;
    await this.#lanes.wait(this.#lanesOf(job), wait, this.#laneJobOf(job));
  }

  async #lookAround(worker: VirtualWorker): Promise<void> {
    this.after(LOOK_EVERY_MS, () => this.#lookAround(worker));
    for (const lane of await this.#lanes.takeDue(100)) await this.#release(worker, lane);
  }

  /** The soonest of what is asked for counts. */
  #releaseIn(ms: number, worker: VirtualWorker, lane: string): void {
    const atMs = this.#now + ms;
    if ((worker.releaseAtMs.get(lane) ?? Number.POSITIVE_INFINITY) <= atMs) return;
    worker.releaseAtMs.set(lane, atMs);
    this.after(ms, () => {
      if (worker.releaseAtMs.get(lane) !== atMs) return undefined;
      worker.releaseAtMs.delete(lane);
      return this.#release(worker, lane);
    });
  }

  async #release(worker: VirtualWorker, lane: string): Promise<void> {
    const { intervalMs, burst, concurrency } = this.#modelOf(lane).limits;
    const [lookInMs, ...released] = (await runVerb(
      this.#connection,
      this.#options.prefix,
      'release',
      [lane],
      [worker.free, intervalMs, burst, concurrency, 200],
    )) as [number, ...string[]];
    this.#isChanged = true;
    if (released.length > 0 && worker.diesWhenItReleases) return this.#die(worker);
    for (const name of released) {
      const job = this.#jobs.get(name.slice(name.indexOf(':') + 1)) as InHand;
      if (job.place !== 'lane') continue;
      job.place = 'queue';
      this.#queue.push(job);
    }
    if (lookInMs >= 0 && lookInMs < (intervalMs > 0 ? TIMED_MAX_MS : LOOK_EVERY_MS))
      this.#releaseIn(Math.max(lookInMs, paceOf({ intervalMs, burst, concurrency })), worker, lane);
    await this.#takeFromQueue();
  }

  #checkMaySend(lane: string, recipients: number): void {
    const model = this.#modelOf(lane);
    const { intervalMs, burst, concurrency } = model.limits;
    const isCampaign = lane.startsWith('campaign:');
    if (model.isPaused) throw new Error(`${lane} is paused, and something is sent`);
    if (intervalMs > 0) {
      this.#leak(model);
      const room = Math.max(burst, recipients) + ROUNDING;
      if (model.level + recipients > room)
        throw new Error(`${lane}: ${model.level} and ${recipients} recipients of a burst of ${burst}`);
      model.level += recipients;
    }
    const isSettled = this.#now - model.changedAtMs >= CHANGE_HOLDS_MS;
    if (!isCampaign && concurrency > 0 && isSettled && model.inFlight >= concurrency)
      throw new Error(`${lane}: ${model.inFlight + 1} in flight of ${concurrency}`);
  }

  async #check(): Promise<void> {
    const waits = new Set(
      [...this.#jobs.values()].filter(({ place }) => place === 'lane').map(({ id }) => `0:${id}`),
    );
    const names = new Set([...this.#jobs.values()].flatMap((job) => Object.values(this.#lanesOf(job))));
    const found = new Set<string>();
    for (const lane of names) {
      const [, order = '', , released = ''] = laneKeys(this.#options.prefix, lane);
      const [places, out, due] = await Promise.all([
        this.#connection.zrange(order, 0, '-1'),
        this.#connection.zrange(released, 0, '-1'),
        this.#connection.zscore(`{${this.#options.prefix}}:waits`, lane),
      ]);
      for (const place of places) {
        const job = place.slice(place.lastIndexOf('\0') + 1);
        if (found.has(job)) throw new Error(`${job} waits in two lanes`);
        found.add(job);
      }
      for (const job of out) found.add(job);
      if (places.length + out.length > 0 && due === null && !this.#modelOf(lane).isPaused)
        throw new Error(`nobody will look at ${lane}`);
    }
    for (const job of waits) if (!found.has(job)) throw new Error(`${job} waits in no lane`);
  }
}
