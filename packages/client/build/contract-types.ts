/**
 * The contract's schemas as TypeScript that stands alone: interfaces with the schemas' own words as comments, without
 * the library that the schemas are written with. Knows the keywords that decide a type; what only narrows values
 * (lengths, formats, combinations of fields) is left to the check at the edge.
 */
import {
  AttemptStatus,
  Authentication,
  CustomEvent,
  Destination,
  FieldError,
  Identifier,
  Problem,
  RetryPolicy,
  Webhook,
  WebhookStatus,
} from '@hookfleet/contract';

interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly additionalProperties?: boolean | Schema;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

const NAMED = {
  Identifier,
  FieldError,
  Problem,
  RetryPolicy,
  Authentication,
  Destination,
  Webhook,
  CustomEvent,
  AttemptStatus,
  WebhookStatus,
} as unknown as Readonly<Record<string, Schema>>;

const COMMENT_WIDTH = 100;

const HEADER = `/**
 * Made of packages/contract by \`npx -y pnpm --filter @hookfleet/client types\`, and checked: what travels, as types that
 * need no other package.
 */
`;

export function contractTypes(): string {
  const byShape = new Map(Object.entries(NAMED).map(([name, schema]) => [shapeOf(schema), name]));

  function typeOf(schema: Schema, indent: string, isNamed = false): string {
    const name = byShape.get(shapeOf(schema));
    if (name !== undefined && !isNamed) return name;
    if (schema.const !== undefined) return literal(schema.const);
    if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
    const branches = schema.anyOf ?? (schema.properties === undefined ? schema.oneOf : undefined);
    if (branches !== undefined)
      return [...new Set(branches.map((branch) => typeOf(branch, indent)))].join(' | ');
    if (Array.isArray(schema.type))
      return schema.type.map((type: string) => typeOf({ ...schema, type }, indent)).join(' | ');
    switch (schema.type) {
      case 'string':
      case 'boolean':
        return schema.type;
      case 'number':
      case 'integer':
        return 'number';
      case 'array':
        return listOf(typeOf(schema.items ?? {}, indent));
      case 'object':
        return objectOf(schema, indent);
      case undefined:
        return 'unknown';
      default:
        throw new Error(`a schema of this type is not known here: ${JSON.stringify(schema)}`);
    }
  }

  function objectOf(schema: Schema, indent: string): string {
    const fields = Object.entries(schema.properties ?? {});
    if (fields.length === 0) {
      const { patternProperties = {}, additionalProperties: others } = schema;
      const value = Object.values(patternProperties)[0] ?? (typeof others === 'object' ? others : undefined);
      // An index signature of unknown would take no interface.
      return value === undefined ? 'object' : `{ readonly [name: string]: ${typeOf(value, indent)} }`;
    }
    const inner = `${indent}  `;
    const lines = fields.map(([name, field]) => {
      const isRequired = schema.required?.includes(name) === true;
      const type = typeOf(field, inner);
      // A named type has its words where it is declared.
      const words = NAMED[type]?.description === field.description ? '' : comment(field, inner);
      const rest = isRequired ? `: ${type}` : `?: ${type === 'unknown' ? type : `${type} | undefined`}`;
      return `${words}${inner}readonly ${name}${rest};\n`;
    });
    return `{\n${lines.join('')}${indent}}`;
  }

  const declarations = Object.entries(NAMED).map(([name, schema]) => {
    const type = typeOf(schema, '', true);
    const declaration =
      schema.properties !== undefined ? `interface ${name} ${type}` : `type ${name} = ${type};`;
    return `${comment(schema, '')}export ${declaration}\n`;
  });
  return [HEADER, ...declarations].join('\n');
}

/** Two schemas with the same are the same type; a field may describe it in other words. */
function shapeOf({ description: _description, ...schema }: Schema): string {
  return JSON.stringify(schema);
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}

function listOf(item: string): string {
  return /^\w+$/.test(item) ? `readonly ${item}[]` : `readonly (${item})[]`;
}

function comment({ description }: Schema, indent: string): string {
  if (description === undefined) return '';
  const lines = [''];
  for (const word of description.replaceAll('*/', '*\\/').split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length > COMMENT_WIDTH) lines.push(` ${word}`);
    else lines[lines.length - 1] = longer;
  }
  if (lines.length === 1) return `${indent}/**${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} *${line}\n`).join('')}${indent} */\n`;
}
