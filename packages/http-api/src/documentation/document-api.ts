/**
 * Completes an OpenAPI description that was made of routes' schemas: a tag, an id and an example for each operation, a
 * description for each property, and one component for each schema that several operations share. A pure function, which
 * throws for what is missing: what is documented nowhere can't be forgotten.
 */
import { PROPERTY_DESCRIPTIONS } from './property-descriptions.ts';

/** How one call is documented. Its example is answered with 2xx, given what the examples before it made. */
export interface OperationDocument {
  readonly tag: string;
  readonly id: string;
  /** Values of parameters, in path, query and headers, by name. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface ApiDocument {
  /** By method and path, as in `GET /v1/webhooks/{id}`. */
  readonly operations: Readonly<Record<string, OperationDocument>>;
  /** Tags in their order, with what they are about. */
  readonly tags: Readonly<Record<string, string>>;
  /** Schemas that become components, by name. */
  readonly schemas: Readonly<Record<string, object>>;
}

type Json = Record<string, unknown>;

export function documentApi(described: object, { operations, tags, schemas }: ApiDocument): object {
  const description = structuredClone(described) as Json;
  const missing = new Set(Object.keys(operations));
  for (const [path, calls] of Object.entries(description['paths'] as Record<string, Json>))
    for (const [method, call] of Object.entries(calls)) {
      const name = `${method.toUpperCase()} ${path}`;
      const document = operations[name];
      if (document === undefined) throw new Error(`${name} has no entry among the documented operations`);
      missing.delete(name);
      documentCall(call as Json, name, document);
    }
  if (missing.size > 0) throw new Error(`documented, and no operation: ${[...missing].join(', ')}`);

  const texts = new Map(Object.entries(schemas).map(([name, schema]) => [fingerprint(schema), name]));
  const components = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [
      name,
      shareParts(JSON.parse(JSON.stringify(schema)), texts),
    ]),
  );
  description['paths'] = shareAll(description['paths'], texts);
  const used = JSON.stringify([description['paths'], components]);
  for (const name of Object.keys(components))
    if (!used.includes(`"${reference(name)}"`)) delete components[name];
  const describedOnce = new Set(
    Object.entries(components)
      .filter(([, schema]) => 'description' in schema)
      .map(([name]) => reference(name)),
  );
  for (const [name, schema] of Object.entries(components))
    describeProperties(schema, `${name[0]?.toLowerCase()}${name.slice(1)}`, describedOnce);
  for (const [path, calls] of Object.entries(description['paths'] as Record<string, Json>))
    for (const call of Object.values(calls) as Json[]) describeCall(call, path, describedOnce);
  description['tags'] = Object.entries(tags).map(([name, text]) => ({ name, description: text }));
  (description['components'] as Json)['schemas'] = components;
  return description;
}

function documentCall(call: Json, name: string, { tag, id, parameters = {}, body }: OperationDocument): void {
  call['tags'] = [tag];
  call['operationId'] = id;
  const unknown = new Set(Object.keys(parameters));
  for (const parameter of (call['parameters'] ?? []) as Json[]) {
    const value = parameters[String(parameter['name'])];
    if (value !== undefined) parameter['example'] = value;
    else if (parameter['required'] === true)
      throw new Error(`${name}: the parameter ${parameter['name']} needs an example`);
    unknown.delete(String(parameter['name']));
  }
  if (unknown.size > 0) throw new Error(`${name}: no such parameter: ${[...unknown].join(', ')}`);
  const content = (call['requestBody'] as Json | undefined)?.['content'] as Record<string, Json> | undefined;
  if ((content === undefined) !== (body === undefined))
    throw new Error(`${name}: an example of a body is needed for a call that has one, and for no other`);
  for (const media of Object.values(content ?? {})) media['example'] = body;
}

function reference(name: string): string {
  return `#/components/schemas/${name}`;
}

/** As @fastify/swagger writes a schema, which turns `const` and `patternProperties` into words of OpenAPI 3.0. */
function fingerprint(schema: unknown): string {
  return JSON.stringify(schema, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const { const: only, patternProperties, ...rest } = value as Json;
    const written: Json = {
      ...rest,
      ...(only !== undefined && { enum: [only] }),
      ...(patternProperties !== undefined && {
        additionalProperties: Object.values(patternProperties as Json)[0],
      }),
    };
    return Object.fromEntries(Object.entries(written).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The same with references in place of schemas that are components. */
function shareAll(value: unknown, texts: ReadonlyMap<string, string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const name = texts.get(fingerprint(value));
  return name === undefined ? shareParts(value, texts) : { $ref: reference(name) };
}

function shareParts(value: object, texts: ReadonlyMap<string, string>): Json {
  const parts = Array.isArray(value)
    ? value.map((one) => shareAll(one, texts))
    : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shareAll(one, texts)]));
  return parts as Json;
}

/** Of a call below `/v1/campaigns/{id}` the resource is `campaigns`; what it answers has the path's last word for a parent. */
function describeCall(call: Json, path: string, describedOnce: ReadonlySet<unknown>): void {
  const [, , resource = '', ...below] = path.split('/');
  const place = below.at(-1) ?? resource;
  for (const parameter of (call['parameters'] ?? []) as Json[])
    parameter['description'] ??= descriptionOf(
      String(parameter['name']),
      parameter['in'] === 'query' ? 'query' : resource,
    );
  const bodies = [call['requestBody'], ...Object.values(call['responses'] as Json)] as (Json | undefined)[];
  for (const [i, body] of bodies.entries())
    for (const { schema } of Object.values((body?.['content'] ?? {}) as Record<string, Json>))
      describeProperties(schema, i === 0 ? 'body' : place, describedOnce);
}

/** Gives each property of a schema a description that has none. */
function describeProperties(schema: unknown, parent: string, describedOnce: ReadonlySet<unknown>): void {
  if (typeof schema !== 'object' || schema === null) return;
  for (const [keyword, value] of Object.entries(schema)) {
    // Conditions and examples describe no property.
    if (['if', 'not', 'enum', 'const', 'example', 'required'].includes(keyword)) continue;
    if (keyword !== 'properties') {
      describeProperties(value, parent, describedOnce);
      continue;
    }
    for (const [name, property] of Object.entries(value as Record<string, unknown>)) {
      if (typeof property !== 'object' || property === null) continue;
      // A component says what it is wherever it is used.
      if (!('$ref' in property) || !describedOnce.has(property.$ref))
        (property as Json)['description'] ??= descriptionOf(name, parent);
      describeProperties(property, name, describedOnce);
    }
  }
}

function descriptionOf(name: string, parent: string): string {
  const text = PROPERTY_DESCRIPTIONS[`${parent}.${name}`] ?? PROPERTY_DESCRIPTIONS[name];
  if (text === undefined) throw new Error(`${parent}.${name} has no description (property-descriptions.ts)`);
  return text;
}
