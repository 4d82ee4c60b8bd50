/** What travels between the processes, and what callers send: schemas and the types derived from them. */
export * from './batch.ts';
export * from './bundle.ts';
export * from './campaign-controls.ts';
export * from './campaign.ts';
export * from './channel.ts';
export * from './custom-event.ts';
export * from './destination.ts';
export * from './event-type.ts';
export * from './fleet-event.ts';
export * from './identifiers.ts';
export * from './outcome.ts';
export * from './problem.ts';
export * from './queue-names.ts';
export * from './results.ts';
export * from './validation.ts';
export * from './webhook-id.ts';
export * from './webhook.ts';
