/**
 * A custom event as it is activated: its properties' types, and whether others are refused. The JSON Schema that its
 * events' properties are checked with is made of it. Names end in Redis fields, URLs, metric labels and graphs.
 */
import { type Static, Type } from 'typebox';
import { pathInto } from './field-path.ts';

export const PROPERTY_TYPES = [
  'STRING',
  'INTEGER',
  'FLOAT',
  'DATETIME',
  'BOOLEAN',
  'ARRAY',
  'OBJECT',
] as const;

export type PropertyTypeName = (typeof PROPERTY_TYPES)[number];

/** A name alone, or with what an array's entries or an object's fields are. Without that, they may be anything. */
export type PropertyType =
  | PropertyTypeName
  | {
      readonly type: PropertyTypeName;
      readonly items?: PropertyType | undefined;
      readonly properties?: Readonly<Record<string, PropertyType>> | undefined;
    };

/** Event types that may be activated at once: each is a label of a metric, and a validator in every producer. */
export const EVENT_TYPES_MAX = 1_000;

/** Properties of an event type, and fields of an object in one. */
export const PROPERTIES_MAX = 100;

// An array of objects whose fields are arrays: what is nested deeper is not told apart, an object may hold anything.
const NESTING_MAX = 3;

// Ours are counted from what happened, and nobody can report them. No colon: it separates fields in Redis.
export const EVENT_NAME_PATTERN = '^(?!(?:webhook|campaign)\\.|__proto__$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$';

export const EventName = Type.String({
  pattern: EVENT_NAME_PATTERN,
  errorDetail:
    'must be 1 to 100 letters, digits, dots, hyphens or underscores, and not begin with webhook. or campaign.',
  description:
    'Letters, digits, dots, hyphens and underscores, 100 at most; webhook.… and campaign.… are reserved.',
});

const PROPERTY_NAME_DETAIL = 'must be 1 to 64 letters, digits, hyphens, underscores or $';
const PROPERTY_NAME_PATTERN = '^(?!__proto__$)[\\p{L}\\p{N}_$-]{1,64}$';

/** With `if`, not with a union: what is wrong is named by its own field, and not once for each alternative. */
function propertyType(nesting: number): object {
  const names = { enum: [...PROPERTY_TYPES] };
  const onlyOf = (type: PropertyTypeName, field: string) => ({
    if: { properties: { type: { const: type } } },
    else: { properties: { [field]: false } },
  });
  const nested =
    nesting === 0
      ? {}
      : {
          items: propertyType(nesting - 1),
          properties: {
            type: 'object',
            maxProperties: PROPERTIES_MAX,
            additionalProperties: false,
            namesDetail: PROPERTY_NAME_DETAIL,
            patternProperties: { [PROPERTY_NAME_PATTERN]: propertyType(nesting - 1) },
          },
        };
  return {
    type: ['string', 'object'],
    if: { type: 'string' },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    then: names,
    else: {
      required: ['type'],
      additionalProperties: false,
      properties: { type: names, ...nested },
      ...(nesting > 0 && { allOf: [onlyOf('ARRAY', 'items'), onlyOf('OBJECT', 'properties')] }),
    },
  };
}

export const EventType = Type.Object(
  {
    properties: Type.Optional(
      Type.Unsafe<Record<string, PropertyType>>({
        type: 'object',
        maxProperties: PROPERTIES_MAX,
        additionalProperties: false,
        namesDetail: PROPERTY_NAME_DETAIL,
        patternProperties: { [PROPERTY_NAME_PATTERN]: propertyType(NESTING_MAX) },
        description:
          'By name: a type, as in "FLOAT", or {"type": "ARRAY", "items": "STRING"}, or {"type": "OBJECT", "properties": {…}}.',
      }),
    ),
    strict: Type.Optional(
      Type.Boolean({
        description:
          'Refuse events with other properties. When absent or false these are left out, and named.',
      }),
    ),
  },
  { additionalProperties: false },
);

export type EventType = Static<typeof EventType>;

/** What an event's `properties` must be. Every property is optional; others are unknown fields if the type is strict. */
export function propertiesSchema({ properties = {}, strict = false }: EventType): object {
  return objectSchema(properties, strict);
}

/** Paths of the properties that are not activated, as in items[3].colour: `max` at most. */
export function otherProperties(
  { properties = {} }: EventType,
  value: Readonly<Record<string, unknown>>,
  max: number,
): string[] {
  const found: string[] = [];

  // Goes as deep as the type, which is bounded, and not as the value.
  function look(types: Readonly<Record<string, PropertyType>>, object: object, path: string): void {
    for (const name in object) {
      if (found.length >= max) return;
      const at = pathInto(path, name);
      if (!Object.hasOwn(types, name)) found.push(at);
      else lookInto(types[name] as PropertyType, (object as Record<string, unknown>)[name], at);
    }
  }

  function lookInto(propertyType: PropertyType, part: unknown, path: string): void {
    const { type, items, properties: fields } = described(propertyType);
    if (type === 'OBJECT' && fields !== undefined && typeof part === 'object' && part !== null)
      look(fields, part, path);
    if (type !== 'ARRAY' || items === undefined || typeof items === 'string' || !Array.isArray(part)) return;
    for (const [i, entry] of part.entries()) {
      if (found.length >= max) return;
      lookInto(items, entry, pathInto(path, String(i)));
    }
  }

  look(properties, value, '');
  return found;
}

/** The properties that are summed: their numbers stand in a campaign's totals. */
export function numericProperties({ properties = {} }: EventType): string[] {
  return Object.keys(properties).filter((name) =>
    ['INTEGER', 'FLOAT'].includes(described(properties[name] ?? 'STRING').type),
  );
}

function objectSchema(properties: Readonly<Record<string, PropertyType>>, strict: boolean): object {
  return {
    type: 'object',
    ...(strict && { additionalProperties: false }),
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, type]) => [name, valueSchema(type, strict)]),
    ),
  };
}

function valueSchema(propertyType: PropertyType, strict: boolean): object {
  const { type, items, properties } = described(propertyType);
  // Beyond these bounds a number of JSON has lost digits already, and sums would not be exact.
  const bounds = { minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
  switch (type) {
    case 'STRING':
      return { type: 'string' };
    case 'INTEGER':
      return { type: 'integer', ...bounds };
    case 'FLOAT':
      return { type: 'number', ...bounds };
    case 'DATETIME':
      return { type: 'string', format: 'date-time', errorType: 'WRONG_TYPE' };
    case 'BOOLEAN':
      return { type: 'boolean' };
    case 'ARRAY':
      return { type: 'array', ...(items !== undefined && { items: valueSchema(items, strict) }) };
    case 'OBJECT':
      return properties === undefined ? { type: 'object' } : objectSchema(properties, strict);
  }
}

function described(propertyType: PropertyType): Exclude<PropertyType, string> {
  return typeof propertyType === 'string' ? { type: propertyType } : propertyType;
}
