/**
 * What a call takes, as unions: which fields go together is checked by the type checker, as far as it can, and not only by
 * the producer. The fields themselves, with their words, are the contract's (contract-types.ts).
 */
import type {
  Destination,
  Identifier,
  CustomEvent as EventFields,
  Webhook as WebhookFields,
} from './contract-types.ts';

/** JSON, or what makes itself JSON by toJSON. No bigint and no function: JSON has none. */
export type Payload = string | number | boolean | object | null;

type Absent<Name extends string> = { readonly [Key in Name]?: undefined };

type OfChannel = Absent<'destination'> & { readonly channelConfigId: Identifier };
type Inline = Absent<'channelConfigId'> & { readonly destination: Destination };
/** Its request may have no body. */
type InlineWithoutBody = Absent<'channelConfigId'> & {
  readonly destination: Destination & { readonly method: 'GET' | 'DELETE' };
};

type WithPayload = Absent<'body' | 'contentType'> & {
  /**
   * Any JSON, at most 64 levels deep. Its bytes are sent as JSON.stringify writes them, as application/json; or in the form
   * that the destination's contentType or method asks for.
   */
  readonly payload: Payload;
};
type WithBody = Absent<'payload'> & {
  /** Sent as it is, with contentType. */
  readonly body: string;
  readonly contentType: string;
};

/**
 * Either `channelConfigId` or `destination`, and either `payload` or `body` with `contentType`. An inline destination with
 * GET or DELETE needs neither payload nor body.
 */
export type Webhook = Pick<
  WebhookFields,
  'campaignId' | 'messageId' | 'idempotencyKey' | 'deliverAt' | 'userId'
> &
  (
    | ((OfChannel | Inline) & (WithPayload | WithBody))
    | (InlineWithoutBody & Absent<'payload' | 'body' | 'contentType'>)
  );

/** Of a campaign: by `campaignId`, `campaignExternalReferenceId` or both. */
export type CustomEvent = Omit<EventFields, 'campaignId' | 'campaignExternalReferenceId'> &
  (
    | (Pick<EventFields, 'campaignExternalReferenceId'> & { readonly campaignId: Identifier })
    | (Pick<EventFields, 'campaignId'> & { readonly campaignExternalReferenceId: string | number })
  );

/** Of each type of a union, not only those that all have. */
type KeysOf<Given> = Given extends unknown ? keyof Given : never;

/** Fields that there are not, for the type checker to refuse in items whose type it infers. */
type NoOthers<Given, Known extends PropertyKey> = {
  readonly [Key in Exclude<KeysOf<Given>, Known>]?: never;
};

type DestinationOf<Item> = Item extends { readonly destination: infer To extends object } ? To : never;

/** A webhook without fields that are unknown, in its destination too. */
export type OnlyWebhook<Item> = NoOthers<Item, keyof WebhookFields> & {
  readonly destination?: NoOthers<DestinationOf<Item>, keyof Destination> | undefined;
};

export type OnlyEvent<Item> = NoOthers<Item, keyof EventFields>;
