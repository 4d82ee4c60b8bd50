/** The calls of operators: pause, resume, cancel, replay. The producer offers them, and the aggregator its page. */
export { addCampaignControlRoutes, type CampaignControlRoutesOptions } from './campaign-control-routes.ts';
export { addChannelPauseRoutes, type ChannelPauseRoutesOptions } from './channel-pause-routes.ts';
export {
  ChannelParams,
  ChannelView,
  CircuitView,
  channelNotFound,
  channelView,
  circuitView,
} from './channel-view.ts';
export {
  createPriorityChanges,
  type PriorityChanges,
  type PriorityChangesOptions,
} from './priority-changes.ts';
export { maskChannel } from './mask-channel.ts';
export {
  EXAMPLE_CAMPAIGN_ID,
  EXAMPLE_CHANNEL_ID,
  EXAMPLE_WEBHOOK_ID,
  OPERATION_DOCUMENTS,
  OPERATION_TAGS,
} from './operation-documents.ts';
export { addReplayRoutes } from './replay-routes.ts';
