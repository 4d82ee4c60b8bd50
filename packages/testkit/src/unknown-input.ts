/** Asks every call that an API describes with what no call knows, and tells which of them take it. */

interface Answer {
  readonly statusCode: number;
  readonly body: string;
}

interface Api {
  inject(request: {
    method: 'GET';
    url: string;
    headers?: Record<string, string>;
    payload?: string;
  }): Promise<Answer>;
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

export interface ApiDescription {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { requestBody?: { content: Readonly<Record<string, { schema: Schema }>> } }>>
    >
  >;
}

export interface UnknownInput {
  /** Method and path of each call that was asked. */
  readonly calls: string[];
  /** What was taken: a call, and what it was asked with. */
  readonly taken: string[];
}

/** A description with each component in place of the references to it. */
export function inlineComponents<T>(description: T & { components?: { schemas?: unknown } }): T {
  const schemas = (description.components?.schemas ?? {}) as Readonly<Record<string, unknown>>;
  const inlined = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(inlined);
    const { $ref, ...rest } = value as Record<string, unknown>;
    if (typeof $ref !== 'string')
      return Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, inlined(one)]));
    return { ...(inlined(schemas[$ref.split('/').at(-1) ?? '']) as object), ...rest };
  };
  return inlined(description) as T;
}

const UNKNOWN = 'nobodyKnows';

export async function askWithUnknownInput(api: Api, { paths }: ApiDescription): Promise<UnknownInput> {
  const calls: string[] = [];
  const taken: string[] = [];
  for (const [path, methods] of Object.entries(paths)) {
    for (const [name, { requestBody }] of Object.entries(methods)) {
      const method = name.toUpperCase() as 'GET';
      const call = `${method} ${path}`;
      calls.push(call);
      const url = path.replaceAll(/\{\w+\}/g, 'x');
      const withParameter = await api.inject({ method, url: `${url}?${UNKNOWN}=1` });
      if (!isRefused(withParameter, UNKNOWN)) taken.push(`${call}: parameter`);
      const json = {
        headers: { 'content-type': 'application/json' },
        payload: JSON.stringify({ [UNKNOWN]: 1 }),
      };
      const withField = await api.inject({ method, url, ...json });
      if (!isRefused(withField, method === 'GET' ? 'body' : UNKNOWN)) taken.push(`${call}: field`);
      for (const { schema } of Object.values(requestBody?.content ?? {}))
        for (const at of openObjects(schema, '')) taken.push(`${call}: field in ${at || 'the body'}`);
    }
  }
  return { calls, taken };
}

function isRefused({ statusCode, body }: Answer, field: string): boolean {
  if (statusCode !== 400) return false;
  const { errors = [] } = JSON.parse(body) as { errors?: { field: string; type: string }[] };
  return errors.some((error) => error.field === field && error.type === 'UNKNOWN_FIELD');
}

/** Objects whose schema does not say what becomes of other fields than its own. */
function openObjects(schema: Schema, path: string): string[] {
  const own = schema.properties !== undefined && schema.additionalProperties === undefined ? [path] : [];
  const parts = Object.entries(schema.properties ?? {}).flatMap(([name, part]) =>
    openObjects(part, `${path}.${name}`),
  );
  const branches = [schema.items, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return [
    ...own,
    ...parts,
    ...branches.flatMap((branch) => (branch === undefined ? [] : openObjects(branch, path))),
  ];
}
