/** A webhook or event as JSON, if JSON has all that it holds: JSON.stringify changes or leaves out what it has not. */
import { RefusedError } from './errors.ts';

/** Throws RefusedError, which names the field. */
export function toText(value: object): string {
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw refused('', `is no JSON: ${(error as Error).message}`);
  }
  // After it: there is no circle in the value.
  const path = pathOfUnfit(value);
  if (path !== undefined) throw refused(path, 'is nothing that JSON has: it would be changed, or left out');
  return text;
}

function refused(field: string, detail: string): RefusedError {
  return new RefusedError({
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'Some fields are at fault.',
    errors: [{ field, type: 'INVALID_VALUE', detail }],
  });
}

/** As in payload.prices[3]. A field that is undefined is no field; an item of a list would become null. */
function pathOfUnfit(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : '';
  if (typeof value === 'function' || typeof value === 'symbol') return '';
  if (typeof value !== 'object' || value === null) return undefined;
  // It says itself what it is in JSON, as a Date does.
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
  if (value instanceof Map || value instanceof Set) return '';
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      const path = value[i] === undefined ? '' : pathOfUnfit(value[i]);
      if (path !== undefined) return joined(`[${i}]`, path);
    }
    return undefined;
  }
  for (const name of Object.keys(value)) {
    const path = pathOfUnfit((value as Record<string, unknown>)[name]);
    if (path !== undefined) return joined(name, path);
  }
  return undefined;
}

function joined(name: string, path: string): string {
  return path === '' || path.startsWith('[') ? name + path : `${name}.${path}`;
}
