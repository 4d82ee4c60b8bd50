/** Inputs made from a JSON Schema, as an API's description holds it; and the same, spoilt. */
import fc from 'fast-check';

export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: string;
}

/** Mostly valid: patterns and formats of their own are not followed. */
export function fromSchema(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map(fromSchema));
  switch (typeof schema.type === 'string' ? schema.type : schema.type?.[0]) {
    case 'object':
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([name, one]) => [name, fromSchema(one)]),
        ),
        { requiredKeys: [...(schema.required ?? [])].filter((name) => name in (schema.properties ?? {})) },
      );
    case 'array':
      return fc.array(fromSchema(schema.items ?? {}), { maxLength: 4 });
    case 'string':
      return stringFor(schema);
    case 'integer':
    case 'number':
      return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000_000 });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue();
  }
}

function stringFor({ format, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  if (format === 'date-time')
    return fc
      .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
      .map((at) => at.toISOString());
  const text = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
  return fc.oneof(
    text.filter(({ length }) => length >= minLength && length <= maxLength),
    fc.constantFrom('https://example.com/hook', 'application/json', 'x'),
  );
}

const NASTY: readonly unknown[] = [
  null,
  '',
  'a\r\nb: c',
  'a\0b',
  '\ud800',
  '__proto__',
  'x'.repeat(5_000),
  -0,
  1e308,
  Number.MAX_SAFE_INTEGER,
  2 ** 64,
  [],
  {},
  [[[[[]]]]],
  { constructor: { prototype: {} }, ['__proto__']: 1 },
  'https://user:pass@[::ffff:127.0.0.1]:99999/',
  '9999-12-31T23:59:60Z',
];

/** One value somewhere in it is another, has gone, or has company. */
export function spoilt(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc
    .tuple(values, fc.constantFrom(...NASTY), fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }))
    .map(([value, nasty, path]) => spoil(value, nasty, path));
}

function spoil(value: unknown, nasty: unknown, [at = 0, ...rest]: readonly number[]): unknown {
  if (Array.isArray(value) && value.length > 0 && rest.length > 0)
    return value.map((one, i) => (i === at % value.length ? spoil(one, nasty, rest) : one));
  if (typeof value === 'object' && value !== null && rest.length > 0) {
    const names = [...Object.keys(value), 'constructor'];
    const name = names[at % names.length] as string;
    return { ...value, [name]: spoil((value as Record<string, unknown>)[name], nasty, rest) };
  }
  return nasty;
}
