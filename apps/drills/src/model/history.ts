/** What one run of a story leaves behind: what was asked and answered, what arrived, and how it all ended. Times: milliseconds since 1970. */
import type { Operation, Script } from './story.ts';

export interface Moment {
  readonly requestedAtMs: number;
  readonly answeredAtMs: number;
}

export interface AcceptedWebhook extends Moment {
  readonly id: string;
  readonly campaign: number;
  readonly channel?: number;
  readonly script: Script;
  readonly deliverAtMs?: number;
  readonly isFar: boolean;
}

export interface Done extends Moment {
  /** Undefined for what the driver does itself after the story, to bring everything to its end. */
  readonly step: number | undefined;
  readonly operation: Operation;
  /** 0 for what is no HTTP call, and 599 for a call without an answer. */
  readonly status: number;
  /** What was accepted, of an enqueue. */
  readonly webhooks?: readonly AcceptedWebhook[];
  /** Of controls. */
  readonly deadlineAtMs?: number;
  /** Of a repeated call with the same keys: ids that are not those of the first call. */
  readonly otherIds?: number;
  /** Of a worker that was killed or stopped: when it ran again, or was gone. */
  readonly overAtMs?: number;
  /** Of a worker that was stopped. */
  readonly exitCode?: number | null;
}

/** Controls as the fleet shows them at a quiet moment. */
export interface Look {
  readonly campaign: number;
  readonly atMs: number;
  readonly controls: {
    readonly state: string;
    readonly rateLimit?: unknown;
    readonly priority?: string;
    readonly deadline?: string;
  };
}

export interface Received {
  /** The webhook-id header: a webhook's id, or its batch's. */
  readonly requestId: string;
  /** The batch's members, or the one webhook. */
  readonly webhookIds: readonly string[];
  readonly channel?: number;
  readonly atMs: number;
  /** When it was answered or its connection was gone. */
  readonly endedAtMs: number;
  /** Undefined if the connection was gone first. */
  readonly status: number | undefined;
  /** Requests under way at the same path, this one included. */
  readonly inFlight: number;
}

/** A moment at which a timer of the receiver's process came late: it may have read a request late by as much. */
export interface Lag {
  readonly atMs: number;
  readonly lagMs: number;
}

export interface Ending {
  /** GET /v1/webhooks/{id}; undefined for 404. */
  readonly webhooks: ReadonlyMap<string, EndedWebhook | undefined>;
  readonly campaigns: readonly EndedCampaign[];
}

export interface EndedWebhook {
  readonly state: string;
  readonly batchId?: string;
  readonly attempts: readonly { readonly statusCode?: number }[];
}

export interface EndedCampaign {
  readonly campaign: number;
  readonly messages: Readonly<Record<MessageState | 'accepted' | 'pending', number>>;
  /** Differences that the audit found. */
  readonly differences: readonly string[];
}

export const MESSAGE_STATES = ['delivered', 'failed', 'cancelled'] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

export interface History {
  readonly done: readonly Done[];
  readonly looks: readonly Look[];
  readonly received: readonly Received[];
  readonly lags: readonly Lag[];
  readonly ending: Ending;
  readonly endedAtMs: number;
}

/** What a promise is called in reports. */
export type Promised =
  | 'answers'
  | 'stop'
  | 'resume'
  | 'limits'
  | 'cancel'
  | 'deliver-at'
  | 'controls'
  | 'replay'
  | 'accounts'
  | 'repeats';

export interface Violation {
  readonly promise: Promised;
  /** One plain sentence, with the numbers. */
  readonly text: string;
}
