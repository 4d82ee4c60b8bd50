/**
 * The one ajv of the product, with the formats that our schemas use, and its errors as fields at fault.
 *
 * Each schema has two validators. Every value passes the first, which stops at the first error: its cost is bounded by
 * what is valid. The second gathers all errors, so that a caller can fix a request in one go. It runs only for values
 * of few parts: ajv would make an error, or several, of each part of a hostile value. A value of many parts gets its
 * first error.
 *
 * A validator is compiled when it is first needed: a process uses a few of the schemas that it imports, and compiling
 * all of them was half of the CPU time of a start.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormatsModule from 'ajv-formats';
import { pathInto } from './field-path.ts';
import { isKeyOfCertificate, isPemCertificates, isPemPrivateKey, isSigningSecret } from './key-material.ts';
import { MASK } from './mask-secrets.ts';
import type { FieldError } from './problem.ts';

// ajv-formats is CommonJS: its callable is behind `default` for TypeScript, and is the module itself at run time.
const addFormats = (addFormatsModule.default ?? addFormatsModule) as unknown as (
  ajv: Ajv2020,
  formats: string[],
) => void;

// All errors of a value with more parts are not gathered, and no more errors are reported. A channel has 300 parts at most.
const PARTS_MAX = 1_000;
export const ERRORS_MAX = 100;
// Names are the caller's, and may be as long as the body.
const FIELD_LENGTH_MAX = 256;

/** `checkSchemas` validates each schema against its meta-schema: for tests, since our schemas don't change at run time. */
export function createAjv({ checkSchemas = false, allErrors = true } = {}): Ajv2020 {
  const ajv = new Ajv2020({
    // Compiling the meta-schema takes as long as compiling the largest of ours.
    meta: checkSchemas,
    validateSchema: checkSchemas,
    allErrors,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    verbose: true,
    discriminator: true,
    // A field that an object inherits, as `constructor`, was not given.
    ownProperties: true,
  });
  addFormats(ajv, ['date-time']);
  const { validate: isDateTime } = ajv.formats['date-time'] as { validate: (text: string) => boolean };
  // RFC 3339 knows leap seconds, which JavaScript's dates do not: 23:59:60 would be no time at all further in.
  ajv.addFormat('date-time', (text) => isDateTime(text) && !Number.isNaN(Date.parse(text)));
  ajv.addFormat('webhook-url', isWebhookUrl);
  ajv.addFormat('token-url', isTokenUrl);
  ajv.addFormat('signing-secret', isSigningSecret);
  ajv.addFormat('pem-certificates', isPemCertificates);
  ajv.addFormat('pem-private-key', isPemPrivateKey);
  ajv.addKeyword({ keyword: 'keyOfCertificate', type: 'object', schemaType: 'boolean', validate: keysMatch });
  // A channel that was read and is written back must not store the mask as its secret.
  ajv.addKeyword({ keyword: 'unmasked', type: 'string', schemaType: 'boolean', validate: isUnmasked });
  // Names of header fields are the same in any spelling (RFC 9110, 5.1): of two, one would be lost.
  ajv.addKeyword({
    keyword: 'distinctNames',
    type: 'object',
    schemaType: 'boolean',
    validate: areDistinct,
  });
  // If a combination of fields is wrong, the schema says which field to name and how (webhook.ts). Of a pattern it says in
  // words what is allowed: a regular expression tells few callers.
  ajv.addKeyword({ keyword: 'errorField', schemaType: 'string' });
  ajv.addKeyword({ keyword: 'errorDetail', schemaType: 'string' });
  // What names an object takes that has none of its own (headers.ts).
  ajv.addKeyword({ keyword: 'namesDetail', schemaType: 'string' });
  // Where a wrong format means a wrong type to whoever wrote it (event-type.ts).
  ajv.addKeyword({ keyword: 'errorType', schemaType: 'string' });
  return ajv;
}

const firstError = createAjv({ allErrors: false });
const allErrors = createAjv();

export type Validator<T> = (value: unknown) => { readonly value: T } | { readonly errors: FieldError[] };

/** A validator that names every invalid field, or the first one of a value that has many parts. */
export function compileValidator<T>(schema: object): Validator<T> {
  const errorsOf = compileErrorCheck(schema);
  return (value) => {
    const errors = errorsOf(value);
    return errors === undefined ? { value: value as T } : { errors: toFieldErrors(errors) };
  };
}

/** ajv's errors of a value: undefined if it is valid. `atOnce` compiles now, and throws for an invalid schema. */
export function compileErrorCheck(
  schema: object,
  { atOnce = false } = {},
): (value: unknown) => readonly ErrorObject[] | undefined {
  if (atOnce) createAjv({ checkSchemas: true }).compile(schema);
  const anything = fieldsOfAnything(schema);
  let first: ValidateFunction | undefined;
  let all: ValidateFunction | undefined;
  return (value) => {
    first ??= compileWith(firstError, schema);
    if (first(value)) return undefined;
    const found = first.errors ?? [];
    if (!hasFewParts(value, anything)) return found;
    all ??= compileWith(allErrors, schema);
    return all(value) ? found : (all.errors ?? found);
  };
}

function compileWith(ajv: Ajv2020, schema: object): ValidateFunction {
  const validate = ajv.compile(schema);
  // ajv would keep it for good, and custom events' types come and go.
  ajv.removeSchema(schema);
  return validate;
}

/** Fields that may hold anything, as a webhook's payload: no error can be in them, whatever their size. */
function fieldsOfAnything(schema: object): ReadonlySet<string> {
  const { properties = {} } = schema as { properties?: Readonly<Record<string, object>> };
  const isAnything = (field: object) => Object.keys(field).every((keyword) => keyword === 'description');
  return new Set(Object.keys(properties).filter((name) => isAnything(properties[name] ?? {})));
}

/** Without recursion, and without looking at more of the value than needed. */
function hasFewParts(value: unknown, ignoredFields: ReadonlySet<string>): boolean {
  const open: object[] = isObject(value) ? [value] : [];
  let parts = 0;
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (Array.isArray(one) && parts + one.length > PARTS_MAX) return false;
    for (const name in one) {
      if (one === value && ignoredFields.has(name)) continue;
      parts += 1;
      if (parts > PARTS_MAX) return false;
      const part = (one as Record<string, unknown>)[name];
      if (isObject(part)) open.push(part);
    }
  }
  return true;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** ajv's errors as fields at fault, each field once and its most telling error first. ERRORS_MAX at most. */
export function toFieldErrors(errors: readonly ErrorObject[]): FieldError[] {
  const byField = new Map<string, FieldError>();
  for (const error of withoutOtherBranches(errors)) {
    const fieldError = toFieldError(error);
    if (fieldError === undefined || byField.has(fieldError.field)) continue;
    byField.set(fieldError.field, fieldError);
    if (byField.size === ERRORS_MAX) break;
  }
  return [...byField.values()].map((error) => ({ ...error, field: shortPath(error.field) }));
}

/** Of a field whose name is the caller's. */
export function shortPath(field: string): string {
  return field.length > FIELD_LENGTH_MAX ? `${field.slice(0, FIELD_LENGTH_MAX)}…` : field;
}

/**
 * If a value may be of several types, only the errors of the type that it has: a text is not reported as being no object.
 * If it has none of them, or all of its branches fail, ajv's errors stay.
 *
 * ajv writes the errors of the branches right before the error of their union, so each union looks back over its own
 * errors alone, and the time is linear in the number of errors.
 */
function withoutOtherBranches(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const left: ErrorObject[] = [];
  for (const union of errors) {
    if (union.keyword !== 'anyOf') {
      left.push(union);
      continue;
    }
    let from = left.length;
    while (from > 0 && branchOf(left[from - 1] as ErrorObject, union) !== undefined) from -= 1;
    const ofBranches = left.slice(from);
    const ofOtherType = new Set(
      ofBranches
        .filter(({ keyword, instancePath }) => keyword === 'type' && instancePath === union.instancePath)
        .map((error) => branchOf(error, union)),
    );
    const ofItsType = ofBranches.filter((error) => !ofOtherType.has(branchOf(error, union)));
    left.length = from;
    // One by one: a spread of a long list overflows the stack.
    for (const error of ofItsType.length > 0 ? ofItsType : [...ofBranches, union]) left.push(error);
  }
  return left;
}

/** Which branch of the union the error is in: undefined if in none. */
function branchOf({ schemaPath, instancePath }: ErrorObject, union: ErrorObject): string | undefined {
  const isInside =
    schemaPath.startsWith(`${union.schemaPath}/`) &&
    (instancePath === union.instancePath || instancePath.startsWith(`${union.instancePath}/`));
  return isInside ? schemaPath.slice(union.schemaPath.length + 1).split('/', 1)[0] : undefined;
}

function toFieldError(error: ErrorObject): FieldError | undefined {
  const path = fieldPath(error.instancePath);
  switch (error.keyword) {
    case 'required':
    case 'dependentRequired': {
      // One of the alternatives of a combination of fields: told by its oneOf, with the field that it names.
      if (Object.keys(error.parentSchema ?? {}).join() === 'required') return undefined;
      return { field: join(path, error.params['missingProperty']), type: 'REQUIRED', detail: 'is required' };
    }
    case 'oneOf': {
      const parent = error.parentSchema as { errorField?: string; errorDetail?: string } | undefined;
      if (parent?.errorField === undefined) return invalid(path, error);
      return {
        field: join(path, parent.errorField),
        type: 'REQUIRED',
        detail: parent.errorDetail ?? 'is required',
      };
    }
    case 'false schema':
      return {
        field: path,
        type: 'UNKNOWN_FIELD',
        detail: 'is not a field of this object, or not allowed here',
      };
    case 'not': {
      const parent = error.parentSchema as { errorField?: string; errorDetail?: string } | undefined;
      return {
        field: join(path, parent?.errorField ?? ''),
        type: 'INVALID_VALUE',
        detail: parent?.errorDetail ?? 'is not allowed here',
      };
    }
    case 'discriminator':
      return {
        field: join(path, error.params['tag']),
        type: 'INVALID_VALUE',
        detail: oneOf(tagsOf(error)),
      };
    case 'enum':
      return { field: path, type: 'INVALID_VALUE', detail: oneOf(error.params['allowedValues']) };
    case 'unmasked':
      return {
        field: path,
        type: 'INVALID_VALUE',
        detail: `holds ${MASK}, which stands for a secret that is not shown: write the secret itself`,
      };
    case 'distinctNames':
      return { field: path, type: 'INVALID_VALUE', detail: 'must not hold a name in two spellings' };
    case 'keyOfCertificate':
      return { field: join(path, 'key'), type: 'INVALID_VALUE', detail: "is not the certificate's key" };
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = error.params['additionalProperty'] ?? error.params['unevaluatedProperty'];
      const { namesDetail } = error.parentSchema as { namesDetail?: string };
      return {
        field: join(path, name),
        type: 'UNKNOWN_FIELD',
        detail: namesDetail ?? 'is not a field of this object, or not allowed here',
      };
    }
    case 'type':
      return { field: path, type: 'WRONG_TYPE', detail: `must be ${String(error.params['type'])}` };
    case 'maxLength':
    case 'maxItems':
    case 'maxProperties':
      return { field: path, type: 'TOO_LONG', detail: error.message ?? 'is too long' };
    case 'format':
      return {
        field: path,
        type: (error.parentSchema as { errorType?: string } | undefined)?.errorType ?? 'INVALID_VALUE',
        detail: FORMAT_DETAILS[String(error.params['format'])] ?? error.message ?? 'is invalid',
      };
    case 'pattern': {
      const { errorDetail } = error.parentSchema as { errorDetail?: string };
      return { field: path, type: 'INVALID_VALUE', detail: errorDetail ?? 'is invalid' };
    }
    case 'allOf':
    case 'if':
      return undefined;
    default:
      return invalid(path, error);
  }
}

const FORMAT_DETAILS: Readonly<Record<string, string>> = {
  'webhook-url': 'must be an absolute http or https URL without a fragment',
  'token-url': 'must be an absolute http or https URL without user, password or fragment',
  'signing-secret':
    'must be whsec_ followed by the base64 of 24 to 64 bytes, or whsk_ followed by the base64 of an ed25519 private key',
  'pem-certificates': 'must be one certificate or more as PEM, and nothing else',
  'pem-private-key': 'must be a private key as PEM, without a passphrase',
  'date-time': 'must be a date and time with an offset, as in 2026-11-23T10:00:00Z',
};

function oneOf(values: readonly unknown[]): string {
  return `must be one of: ${values.map(String).join(', ')}`;
}

function tagsOf({ params, parentSchema }: ErrorObject): unknown[] {
  const { oneOf: branches = [] } = (parentSchema ?? {}) as {
    oneOf?: readonly { properties?: Readonly<Record<string, { const?: unknown }>> }[];
  };
  return branches.map(({ properties = {} }) => properties[String(params['tag'])]?.const);
}

function invalid(field: string, error: ErrorObject): FieldError {
  return { field, type: 'INVALID_VALUE', detail: error.message ?? 'is invalid' };
}

/** JSON Pointer to the way that people write paths: /webhooks/3/url becomes webhooks[3].url. */
function fieldPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(pathInto, '');
}

function join(path: string, name: unknown): string {
  return path === '' ? String(name) : `${path}.${String(name)}`;
}

function isWebhookUrl(text: string): boolean {
  // The WHATWG parser strips tabs and newlines and reads backslashes as slashes: refuse what it would change.
  // And it takes any number of slashes, or none, for the two before a host: others do not.
  if (/[\s\\]/.test(text) || !/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) return false;
  const { hash, hostname } = new URL(text);
  return hash === '' && hostname !== '';
}

function isTokenUrl(text: string): boolean {
  if (!isWebhookUrl(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

/** Also as the part of a URL that maskUrl masks. */
function isUnmasked(_wanted: boolean, text: string): boolean {
  if (!text.includes(MASK)) return true;
  if (text === MASK) return false;
  if (!isWebhookUrl(text)) return true;
  const { username, password, searchParams } = new URL(text);
  return ![username, password, ...searchParams.values()].includes(MASK);
}

function areDistinct(_wanted: boolean, headers: object): boolean {
  const names = Object.keys(headers);
  return new Set(names.map((name) => name.toLowerCase())).size === names.length;
}

/** Each by itself is judged by its format. */
function keysMatch(
  _wanted: boolean,
  { key, certificate }: { key?: unknown; certificate?: unknown },
): boolean {
  if (typeof key !== 'string' || typeof certificate !== 'string') return true;
  return !isPemPrivateKey(key) || !isPemCertificates(certificate) || isKeyOfCertificate(key, certificate);
}
