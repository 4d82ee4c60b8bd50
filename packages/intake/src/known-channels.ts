/** Which channels take webhooks. Known ones are believed for two seconds; unknown ones are asked for each time. */
import type { FieldError } from '@hookfleet/contract';
import type { Channels, WebhookToEnqueue } from '@hookfleet/queue';

const FRESH_MS = 2_000;
const CHANNELS_MAX = 10_000;

export interface KnownChannels {
  /** A field error for each webhook whose channel doesn't exist. */
  check(webhooks: readonly WebhookToEnqueue[], pathOf: (at: number) => string): Promise<FieldError[]>;
  forget(channelConfigId: string): void;
}

export function createKnownChannels(channels: Pick<Channels, 'exists'>, now: () => number): KnownChannels {
  const seenAt = new Map<string, number>();
  return {
    async check(webhooks, pathOf) {
      const ids = new Set(webhooks.flatMap(({ channelConfigId }) => channelConfigId ?? []));
      const unsure = [...ids].filter((id) => now() - (seenAt.get(id) ?? Number.NEGATIVE_INFINITY) > FRESH_MS);
      if (unsure.length > 0) {
        const existing = await channels.exists(unsure);
        for (const id of unsure) {
          seenAt.delete(id);
          if (existing.has(id)) seenAt.set(id, now());
        }
      }
      const errors = webhooks.flatMap(({ channelConfigId }, at): FieldError[] =>
        channelConfigId === undefined || seenAt.has(channelConfigId)
          ? []
          : [{ field: pathOf(at), type: 'UNKNOWN_VALUE', detail: `there is no channel ${channelConfigId}` }],
      );
      while (seenAt.size > CHANNELS_MAX) seenAt.delete(seenAt.keys().next().value as string);
      return errors;
    },
    forget: (id) => void seenAt.delete(id),
  };
}
