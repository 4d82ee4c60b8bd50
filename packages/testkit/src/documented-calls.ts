/** The examples of an API's description as calls that can be made, and what it leaves undocumented. */

type Json = Record<string, unknown>;

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly example?: string;
}

interface Operation {
  readonly tags?: readonly string[];
  readonly operationId?: string;
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
}

export interface DocumentedApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Json>> };
}

export interface ExampleCall {
  /** As in `GET /v1/webhooks/{id}`. */
  readonly name: string;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export function exampleCalls({ paths }: DocumentedApi): ExampleCall[] {
  return operationsOf(paths).map(({ method, path, operation }) => {
    const { parameters = [], requestBody } = operation;
    const given = (where: string) =>
      parameters.filter((one) => one.in === where && one.example !== undefined);
    const query = new URLSearchParams(
      given('query').map(({ name, example = '' }): [string, string] => [name, example]),
    );
    const filled = given('path').reduce(
      (url, { name, example = '' }) => url.replace(`{${name}}`, encodeURIComponent(example)),
      path,
    );
    return {
      name: `${method} ${path}`,
      method,
      path: query.size === 0 ? filled : `${filled}?${query}`,
      headers: Object.fromEntries(given('header').map(({ name, example = '' }) => [name, example])),
      body: Object.values(requestBody?.content ?? {})[0]?.example,
    };
  });
}

/** Places that lack what a reader needs: a tag, an id or a summary; a description of a parameter or property;
 * what a pattern allows, in words. */
export function undocumented(api: DocumentedApi): string[] {
  const components = api.components?.schemas ?? {};
  const lacks: string[] = [];

  function look(value: unknown, place: string): void {
    if (typeof value !== 'object' || value === null) return;
    const { pattern, errorDetail } = value as Json;
    if (typeof pattern === 'string' && typeof errorDetail !== 'string')
      lacks.push(`${place}: pattern in words`);
    for (const [keyword, part] of Object.entries(value)) {
      if (['if', 'not', 'enum', 'const', 'example'].includes(keyword)) continue;
      if (keyword !== 'properties') {
        look(part, `${place}.${keyword}`);
        continue;
      }
      for (const [name, property] of Object.entries(part as Json)) {
        look(property, `${place}.${name}`);
        if (typeof property === 'object' && property !== null && !isDescribed(property as Json))
          lacks.push(`${place}.${name}: description`);
      }
    }
  }
  const isDescribed = ({ description, $ref }: Json): boolean =>
    typeof (description ?? components[String($ref).split('/').at(-1) ?? '']?.['description']) === 'string';

  for (const [name, schema] of Object.entries(components)) look(schema, name);
  for (const { method, path, operation } of operationsOf(api.paths)) {
    const call = `${method} ${path}`;
    const { tags = [], operationId, summary, parameters = [], requestBody } = operation;
    if (tags.length !== 1) lacks.push(`${call}: tag`);
    if (operationId === undefined) lacks.push(`${call}: operationId`);
    if (summary === undefined) lacks.push(`${call}: summary`);
    for (const { name, description, required, example } of parameters) {
      if (description === undefined) lacks.push(`${call}: description of ${name}`);
      if (required === true && example === undefined) lacks.push(`${call}: example of ${name}`);
    }
    for (const { example } of Object.values(requestBody?.content ?? {}))
      if (example === undefined) lacks.push(`${call}: example of its body`);
    look(operation, call);
  }
  const ids = operationsOf(api.paths).map(({ operation }) => operation.operationId);
  return [...lacks, ...ids.filter((id, i) => ids.indexOf(id) < i).map((id) => `${id}: twice`)];
}

function operationsOf(paths: DocumentedApi['paths']) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
}
