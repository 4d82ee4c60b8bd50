/** What an operator says of a whole campaign: its rate, and until when it may be sent. */
import { type Static, Type } from 'typebox';
import { RateLimit } from './channel.ts';

export const CampaignControls = Type.Object(
  {
    rateLimit: Type.Optional(RateLimit),
    deadline: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'What has not been sent by then is cancelled, retries included.',
      }),
    ),
  },
  { additionalProperties: false },
);

export type CampaignControls = Static<typeof CampaignControls>;
