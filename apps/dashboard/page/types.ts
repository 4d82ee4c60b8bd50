/** What the API answers, as far as the page shows it. */
export interface CampaignStatus {
  readonly state: 'scheduled' | 'running' | 'heldBack' | 'paused' | 'completed' | 'cancelled' | 'expired';
  readonly since?: string;
  readonly until?: string;
  readonly heldBy?: readonly {
    readonly channelConfigId?: string;
    readonly origin?: string;
    readonly state: 'open' | 'paused';
    readonly why: string;
    readonly since: string;
    readonly until?: string;
  }[];
}

export interface Totals {
  readonly campaignId: string;
  readonly events: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
  readonly messages: Readonly<Record<'accepted' | 'delivered' | 'failed' | 'cancelled' | 'pending', number>>;
  readonly latency: Readonly<Record<'p50' | 'p95' | 'p99', number>>;
  /** Of custom events: by event and property. */
  readonly properties?: Readonly<
    Record<
      string,
      Readonly<Record<string, Readonly<Record<'count' | 'sum' | 'average' | 'min' | 'max', number>>>>
    >
  >;
  /** Absent in answers of earlier versions. */
  readonly status?: CampaignStatus;
  readonly firstEventAt?: string;
  readonly lastEventAt?: string;
}

export interface Spark {
  readonly from: string;
  readonly step: string;
  readonly events: Readonly<Record<string, readonly number[]>>;
}

export interface CampaignPage {
  readonly total: number;
  readonly campaigns: readonly (Totals & { readonly spark?: Spark })[];
}

export type Rates = Readonly<Record<'delivered' | 'bounced' | 'error', number | null>>;

export interface SeriesPoint {
  readonly at: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly rates?: Rates;
}

export interface Series {
  readonly step: string;
  readonly groupBy: string;
  readonly tz: string;
  readonly from: string;
  readonly to: string;
  readonly keptFrom?: string;
  readonly exactFrom?: string;
  readonly points: readonly SeriesPoint[];
  readonly totals: Readonly<Record<string, number>>;
  readonly rates?: Rates;
  readonly groups?: readonly {
    readonly name: string;
    readonly events: Readonly<Record<string, number>>;
    readonly rates: Rates;
  }[];
}

export interface Failure {
  readonly webhookId: string;
  readonly messageId: string;
  readonly channelConfigId?: string;
  readonly event: string;
  readonly reason?: string;
  /** Without an answer: what exactly went wrong, in words. */
  readonly detail?: string;
  readonly statusCode?: number;
  readonly attempts: number;
  /** Of a batch. */
  readonly recipients?: number;
  readonly endedAt: string;
  readonly responseBody?: string;
}

export interface FailurePage {
  readonly failures: readonly Failure[];
  readonly cursor?: string;
}

export interface ReplayPreview {
  readonly webhooks: number;
  readonly more: boolean;
  readonly deadLetters: number;
  readonly channels: readonly { readonly channelConfigId?: string; readonly webhooks: number }[];
  readonly perSecond: number;
  readonly seconds: number;
}

export interface Controls {
  readonly state: 'running' | 'paused' | 'cancelled';
  readonly since?: string;
}

export interface Lane {
  readonly channelConfigId?: string;
  readonly campaignId?: string;
  readonly origin?: string;
  readonly circuit: {
    readonly state: 'closed' | 'open' | 'paused';
    readonly since?: string;
    readonly why?: string;
  };
  readonly parkedWebhooks: number;
}

export interface Fleet {
  readonly workers: readonly {
    readonly workerId: string;
    readonly startedAt: string;
    readonly concurrency: number;
    readonly inFlight: number;
    readonly attemptsPerSecond: number;
  }[];
  readonly inFlight: number;
  readonly concurrency: number;
  readonly attemptsPerSecond: number;
  readonly sampledAt?: string;
  readonly queues: readonly { readonly queue: string; readonly state: string; readonly jobs: number }[];
  readonly oldestSeconds: readonly { readonly queue: string; readonly seconds: number }[];
  readonly backlogSeconds: number;
  readonly parkedWebhooks: number;
  readonly heldWebhooks: number;
  readonly heldOldestSeconds: number;
  readonly lanes: readonly Lane[];
  readonly moreLanes: boolean;
  /** The latest first. */
  readonly events: readonly FleetEvent[];
}

export interface FleetEvent {
  readonly id: string;
  readonly event: string;
  readonly occurredAt: string;
  readonly campaignId?: string;
  readonly channelConfigId?: string;
  readonly origin?: string;
  readonly state?: 'closed' | 'open' | 'paused';
  readonly why?: string;
}

export interface Session {
  readonly role: 'read' | 'operate';
  readonly needsKeys: boolean;
}
