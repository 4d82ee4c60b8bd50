/** What both ways have in common: the errors that calls end in, and the types. */
export type {
  BulkItem,
  BulkOptions,
  BulkResult,
  CallOptions,
  Client,
  ClientOptions,
  Enqueued,
  Reported,
  Source,
} from './client.ts';
// Those of its names that calls take are unions here.
export type * from './contract-types.ts';
export type { CustomEvent, Payload, Webhook } from './input-types.ts';
export { RefusedError, UnavailableError } from './errors.ts';
