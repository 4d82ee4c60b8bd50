/**
 * From what a caller wrote to what stands in the queue, or the fields at fault: the same over HTTP and for a client that
 * writes straight to Redis. Knows no HTTP; answers faults as values, and rejects with Redis' errors.
 */
export { createEventIntake, type EventIntake, type Reported } from './event-intake.ts';
export { type CallRefusal, refusalDetail } from './faults-by-item.ts';
export { createKnownChannels, type KnownChannels } from './known-channels.ts';
export { type KnownEventTypes, startKnownEventTypes } from './known-event-types.ts';
export { createKnownReferences } from './known-references.ts';
export { bodyFaults, WEBHOOK_BYTES_MAX } from './to-enqueue.ts';
export {
  createWebhookIntake,
  type Enqueued,
  type WebhookIntake,
  type WebhookTexts,
} from './webhook-intake.ts';
export { type CallFaults, readWebhook, type WebhookText } from './webhook-text.ts';
