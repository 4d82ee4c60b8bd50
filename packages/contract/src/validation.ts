/**
 * The one ajv of the product, with the formats that our schemas use, and its errors as fields at fault.
 * All errors are gathered, so that a caller can fix a request in one go; bodies are bounded before they get here.
 *
 * A schema is compiled when the first value is validated with it: a process uses a few of the schemas that it imports,
 * and compiling all of them was half of the CPU time of a start.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormatsModule from 'ajv-formats';
import { isKeyOfCertificate, isPemCertificates, isPemPrivateKey, isSigningSecret } from './key-material.ts';
import type { FieldError } from './problem.ts';

// ajv-formats is CommonJS: its callable is behind `default` for TypeScript, and is the module itself at run time.
const addFormats = (addFormatsModule.default ?? addFormatsModule) as unknown as (
  ajv: Ajv2020,
  formats: string[],
) => void;

/** `checkSchemas` validates each schema against its meta-schema: for tests, since our schemas don't change at run time. */
export function createAjv({ checkSchemas = false } = {}): Ajv2020 {
  const ajv = new Ajv2020({
    // Compiling the meta-schema takes as long as compiling the largest of ours.
    meta: checkSchemas,
    validateSchema: checkSchemas,
    allErrors: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    verbose: true,
    discriminator: true,
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
  // Where a combination of fields is wrong, the schema says which field to name and how (webhook.ts).
  ajv.addKeyword({ keyword: 'errorField', schemaType: 'string' });
  ajv.addKeyword({ keyword: 'errorDetail', schemaType: 'string' });
  // Where a wrong format means a wrong type to whoever wrote it (event-type.ts).
  ajv.addKeyword({ keyword: 'errorType', schemaType: 'string' });
  return ajv;
}

const ajv = createAjv();

export type Validator<T> = (value: unknown) => { readonly value: T } | { readonly errors: FieldError[] };

/** A validator that names every invalid field. It compiles its schema once, when it is first called. */
export function compileValidator<T>(schema: object): Validator<T> {
  let validate: ValidateFunction<T> | undefined;
  return (value) => {
    if (validate === undefined) {
      validate = ajv.compile<T>(schema);
      // ajv would keep it for good, and custom events' types come and go.
      ajv.removeSchema(schema);
    }
    return validate(value) ? { value } : { errors: toFieldErrors(validate.errors ?? []) };
  };
}

/** ajv's errors as fields at fault, each field once and its most telling error first. */
export function toFieldErrors(errors: readonly ErrorObject[]): FieldError[] {
  const byField = new Map<string, FieldError>();
  for (const error of withoutOtherBranches(errors)) {
    const fieldError = toFieldError(error);
    if (fieldError !== undefined && !byField.has(fieldError.field)) byField.set(fieldError.field, fieldError);
  }
  return [...byField.values()];
}

/**
 * Of a value that may be of several types, what is wrong with the type that it has: a text is not told that it is no
 * object. Where it has none of them, or all of its branches fail, ajv's errors stand.
 */
function withoutOtherBranches(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  let left = errors;
  for (const { keyword, schemaPath, instancePath } of errors) {
    if (keyword !== 'anyOf') continue;
    const branchOf = (error: ErrorObject) =>
      error.schemaPath.startsWith(`${schemaPath}/`) && error.instancePath.startsWith(instancePath)
        ? error.schemaPath.slice(schemaPath.length + 1).split('/', 1)[0]
        : undefined;
    const ofOtherType = new Set(
      left
        .filter((error) => error.keyword === 'type' && error.instancePath === instancePath)
        .map(branchOf)
        .filter((branch) => branch !== undefined),
    );
    const ofItsType = left.filter((error) => {
      const branch = branchOf(error);
      return branch !== undefined && !ofOtherType.has(branch);
    });
    if (ofItsType.length === 0) continue;
    left = left.filter((error) => {
      const branch = branchOf(error);
      const isUnion = error.schemaPath === schemaPath && error.instancePath === instancePath;
      return !isUnion && (branch === undefined || !ofOtherType.has(branch));
    });
  }
  return left;
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
        detail: 'is none of the known ones',
      };
    case 'keyOfCertificate':
      return { field: join(path, 'key'), type: 'INVALID_VALUE', detail: "is not the certificate's key" };
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = error.params['additionalProperty'] ?? error.params['unevaluatedProperty'];
      return {
        field: join(path, name),
        type: 'UNKNOWN_FIELD',
        detail: 'is not a field of this object, or not allowed here',
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

function invalid(field: string, error: ErrorObject): FieldError {
  return { field, type: 'INVALID_VALUE', detail: error.message ?? 'is invalid' };
}

/** JSON Pointer to the way that people write paths: /webhooks/3/url becomes webhooks[3].url. */
function fieldPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, token) => (/^\d+$/.test(token) ? `${path}[${token}]` : join(path, token)), '');
}

function join(path: string, name: unknown): string {
  return path === '' ? String(name) : `${path}.${String(name)}`;
}

function isWebhookUrl(text: string): boolean {
  // The WHATWG parser strips tabs and newlines and reads backslashes as slashes: refuse what it would change.
  if (/[\s\\]/.test(text) || !URL.canParse(text)) return false;
  const { protocol, hash, hostname } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && hash === '' && hostname !== '';
}

function isTokenUrl(text: string): boolean {
  if (!isWebhookUrl(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

/** Each by itself is judged by its format. */
function keysMatch(
  _wanted: boolean,
  { key, certificate }: { key?: unknown; certificate?: unknown },
): boolean {
  if (typeof key !== 'string' || typeof certificate !== 'string') return true;
  return !isPemPrivateKey(key) || !isPemCertificates(certificate) || isKeyOfCertificate(key, certificate);
}
