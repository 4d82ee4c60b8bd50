/** The two queues of the picture. Each stands once in every shard. */
export const WEBHOOKS_QUEUE = 'webhooks';
export const RESULTS_QUEUE = 'results';
