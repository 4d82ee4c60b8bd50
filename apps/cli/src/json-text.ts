/** JSON as it was given. What a command passes on goes through no parser: digits and the order of keys stay. */
import { JSON_BYTES, JsonReader } from '@hookfleet/contract';

export class JsonText {
  readonly json: string;

  /** Of a text that is JSON. */
  constructor(json: string) {
    this.json = json;
  }
}

export type Members = readonly (readonly [name: string, value: unknown])[];

/** A value's JSON; of a JsonText, its own. */
export function jsonOf(value: unknown): string {
  return value instanceof JsonText ? value.json : JSON.stringify(value);
}

/** An object of these members, without those that are undefined. */
export function objectText(members: Members): JsonText {
  const texts = members
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${JSON.stringify(name)}:${jsonOf(value)}`);
  return new JsonText(`{${texts.join()}}`);
}

/** Of an object's text: its members in their order, each as it was given. Undefined if it is no object. */
export function membersOf({ json }: JsonText): [name: string, value: JsonText][] | undefined {
  const reader = new JsonReader(Buffer.from(json));
  if (reader.peek() !== JSON_BYTES.openObject) return undefined;
  const members: [string, JsonText][] = [];
  reader.enter();
  for (let isFirst = true; reader.nextMember(isFirst); isFirst = false) {
    const name = reader.name();
    reader.peek();
    const start = reader.at;
    reader.skipValue();
    members.push([name, new JsonText(reader.text(start, reader.at))]);
  }
  return members;
}
