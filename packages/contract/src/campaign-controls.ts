/** What an operator says of a whole campaign: its rate, its priority, and until when it may be sent. */
import { type Static, Type } from 'typebox';
import { RateLimit } from './channel.ts';
import { CAMPAIGN_PRIORITIES } from './vocabulary.ts';

export const CampaignControls = Type.Object(
  {
    rateLimit: Type.Optional(RateLimit),
    priority: Type.Optional(
      Type.Enum([...CAMPAIGN_PRIORITIES], {
        description:
          'normal when absent. Where webhooks wait, those of a higher priority go first; a small campaign is not held up by it.',
      }),
    ),
    deadline: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'What has not been sent by then is cancelled, retries included.',
      }),
    ),
  },
  { additionalProperties: false },
);

export type CampaignPriority = (typeof CAMPAIGN_PRIORITIES)[number];
export type CampaignControls = Static<typeof CampaignControls>;
