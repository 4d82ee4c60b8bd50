/** A custom event keeps its activated properties, and each wrong property is reported by its path. Takes about 2 s. */
import { expect, test } from '@jest/globals';
import {
  compileValidator,
  EventType,
  PROPERTY_TYPES,
  type PropertyType,
  type PropertyTypeName,
} from '@hookfleet/contract';
import fc from 'fast-check';
import { toKnownEventType } from './known-event-types.ts';
import { checkEvent } from './to-report.ts';

const NOW_MS = Date.parse('2026-11-24T10:00:00Z');

const validateEventType = compileValidator<EventType>(EventType);

function contextOf(type: EventType) {
  const known = toKnownEventType(type);
  return { typeOf: (name: string) => (name === 'shop.order' ? known : undefined), nowMs: NOW_MS };
}

const event = (properties: unknown, changes: object = {}) => ({
  campaignId: 'c',
  event: 'shop.order',
  properties,
  ...changes,
});

/** Values of JSON, each with the types that it is of. */
const VALUES: readonly [value: unknown, types: readonly PropertyTypeName[]][] = [
  ['', ['STRING']],
  ['7', ['STRING']],
  ['true', ['STRING']],
  ['2026-11-24T10:00:00Z', ['STRING', 'DATETIME']],
  ['2026-11-24T10:00:00.123+01:00', ['STRING', 'DATETIME']],
  ['2026-11-24', ['STRING']],
  ['2026-02-30T10:00:00Z', ['STRING']],
  [0, ['INTEGER', 'FLOAT']],
  [-7, ['INTEGER', 'FLOAT']],
  [1.5, ['FLOAT']],
  [1_795_514_400_000, ['INTEGER', 'FLOAT']],
  [true, ['BOOLEAN']],
  [false, ['BOOLEAN']],
  [null, []],
  [[], ['ARRAY']],
  [['a', 1], ['ARRAY']],
  [{}, ['OBJECT']],
  [{ a: [1] }, ['OBJECT']],
];

const scalar = fc.constantFrom(...PROPERTY_TYPES);
const valueWithTypes = fc.constantFrom(...VALUES);

test('a value is taken where it is of the activated type, and else refused as WRONG_TYPE under its path', () => {
  fc.assert(
    fc.property(scalar, valueWithTypes, fc.boolean(), (type, [value, types], strict) => {
      const checked = checkEvent(event({ x: value }), contextOf({ properties: { x: type }, strict }));
      if (types.includes(type)) expect(checked).toMatchObject({ checked: { ignored: [] } });
      else expect(checked).toMatchObject({ errors: [{ field: 'properties.x', type: 'WRONG_TYPE' }] });
    }),
  );
});

test('the same holds for the entries of an array and the fields of an object', () => {
  fc.assert(
    fc.property(scalar, valueWithTypes, (type, [value, types]) => {
      const properties: Record<string, PropertyType> = {
        list: { type: 'ARRAY', items: type },
        thing: { type: 'OBJECT', properties: { inner: { type } } },
        things: { type: 'ARRAY', items: { type: 'OBJECT', properties: { inner: type } } },
      };
      expect(validateEventType({ properties })).toHaveProperty('value');
      const checked = checkEvent(
        event({ list: [value], thing: { inner: value }, things: [{}, { inner: value }] }),
        contextOf({ properties }),
      );
      if (types.includes(type)) return expect(checked).toHaveProperty('checked');
      const errors = 'errors' in checked ? checked.errors : [];
      expect(errors.map(({ field, type: kind }) => `${field} ${kind}`).sort()).toEqual([
        'properties.list[0] WRONG_TYPE',
        'properties.thing.inner WRONG_TYPE',
        'properties.things[1].inner WRONG_TYPE',
      ]);
    }),
  );
});

test('an event with a great many properties is checked and named as any other', () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`other${i}`, i]));
  const context = contextOf({ properties: { price: 'FLOAT', lines: { type: 'ARRAY', items: 'INTEGER' } } });
  const taken = checkEvent(event({ ...many, price: 1.5 }), context);
  expect(taken).toMatchObject({ checked: { event: { numbers: { price: 1.5 } } } });
  expect('checked' in taken ? taken.checked.ignored.length : 0).toBe(100);
  const wrong = { ...many, lines: [...Array.from({ length: 5_000 }, () => 1), 'x'] };
  expect(checkEvent(event(wrong), context)).toMatchObject({
    errors: [{ field: 'properties.lines[5000]', type: 'WRONG_TYPE' }],
  });
});

const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { maxLength: 8 });

test('what is not activated is left out and named, or refused where the type is strict', () => {
  fc.assert(
    fc.property(names, names, fc.boolean(), (activated, sent, strict) => {
      const type = {
        properties: Object.fromEntries(activated.map((name) => [name, 'INTEGER'] as const)),
        strict,
      };
      const checked = checkEvent(event(Object.fromEntries(sent.map((name) => [name, 1]))), contextOf(type));
      const others = sent.filter((name) => !activated.includes(name)).map((name) => `properties.${name}`);
      if (strict && others.length > 0) {
        const errors = 'errors' in checked ? checked.errors : [];
        expect(errors.every((error) => error.type === 'UNKNOWN_FIELD')).toBe(true);
        return expect(errors.map(({ field }) => field).sort()).toEqual(others.sort());
      }
      if ('errors' in checked) throw new Error(JSON.stringify(checked.errors));
      expect(checked.checked.ignored.toSorted()).toEqual(others.sort());
      const summed = sent.filter((name) => activated.includes(name));
      expect(Object.keys(checked.checked.event.numbers ?? {}).sort()).toEqual(summed.sort());
    }),
  );
});

test('whatever comes, it is taken or its fields are named', () => {
  const context = contextOf({ properties: { price: 'FLOAT' } });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue(),
        fc.jsonValue().map((value) => event(value)),
      ),
      (value) => {
        const checked = checkEvent(value, context);
        if ('errors' in checked) expect(checked.errors.length).toBeGreaterThan(0);
      },
    ),
  );
});

test('an event of ours can not be reported, and is told so', () => {
  const { errors = [] } = checkEvent(event({}, { event: 'webhook.delivered' }), contextOf({})) as {
    errors?: { detail: string }[];
  };
  expect(errors).toMatchObject([{ field: 'event', type: 'UNKNOWN_VALUE' }]);
  expect(errors[0]?.detail).toContain("hookfleet's own");
});
