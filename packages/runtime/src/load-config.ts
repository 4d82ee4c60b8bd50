/**
 * Configuration from the environment: every variable with its type, default, bounds and consequence in one place.
 * All problems are told at once, one line a variable, and never with a secret's value. The result is frozen.
 */
import { maskPasswords } from './mask-passwords.ts';

export interface Variable<T> {
  readonly name: string;
  readonly type: string;
  /** As it would be written in the environment; undefined where there is none. */
  readonly defaultText: string | undefined;
  /** What it does, in one sentence. */
  readonly help: string;
  readonly secret: boolean;
  /** Read by its name in lower case too, if it is unset: as other programs name it. */
  readonly lowerCaseToo?: boolean;
  /** Throws a TypeError that says what was expected. `text` is undefined where the variable is unset or empty. */
  readonly parse: (text: string | undefined) => T;
}

export type ConfigSpec = Readonly<Record<string, Variable<unknown>>>;

export type ConfigOf<Spec extends ConfigSpec> = {
  readonly [Key in keyof Spec]: ReturnType<Spec[Key]['parse']>;
};

/** Told to whoever started the process: one line per variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** `check` sees the whole and returns sentences that name the variables which don't go together. */
export function loadConfig<Spec extends ConfigSpec>(
  spec: Spec,
  environment: Readonly<Record<string, string | undefined>>,
  check: (config: ConfigOf<Spec>) => readonly string[] = () => [],
): ConfigOf<Spec> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, variable] of Object.entries(spec)) {
    const text = textOf(variable, environment);
    try {
      values[key] = variable.parse(text === '' ? undefined : text);
    } catch (error) {
      const shown =
        variable.secret || text === undefined || text === ''
          ? ''
          : ` (it is ${JSON.stringify(maskPasswords(text))})`;
      problems.push(`${variable.name}: ${(error as Error).message}${shown}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  const config = Object.freeze(values) as ConfigOf<Spec>;
  const conflicts = check(config);
  if (conflicts.length > 0) throw new ConfigError(conflicts.join('\n'));
  return config;
}

function textOf(
  { name, lowerCaseToo }: Variable<unknown>,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const text = environment[name]?.trim();
  const isUnset = text === undefined || text === '';
  return isUnset && lowerCaseToo ? environment[name.toLowerCase()]?.trim() : text;
}

/** The configuration as it may be logged: secrets masked, passwords in URLs too. */
export function describeConfig<Spec extends ConfigSpec>(
  spec: Spec,
  config: ConfigOf<Spec>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(spec).map(([key, { name, secret }]) => {
      const value: unknown = config[key];
      if (secret)
        return [name, value === undefined || (Array.isArray(value) && value.length === 0) ? 'unset' : '***'];
      return [name, typeof value === 'string' ? maskPasswords(value) : value];
    }),
  );
}

interface Common<T> {
  readonly default: T;
  readonly help: string;
}

export function text(
  name: string,
  {
    default: fallback,
    help,
    check,
  }: Common<string | undefined> & { default: string; check?: (text: string) => unknown },
): Variable<string> {
  return {
    name,
    help,
    type: 'text',
    secret: false,
    defaultText: fallback,
    parse(given) {
      if (given !== undefined) check?.(given);
      return given ?? fallback;
    },
  };
}

/** A text that must be set. `check` throws a TypeError for a value that won't do. */
export function required(
  name: string,
  { help, check }: { help: string; check?: (text: string) => unknown },
): Variable<string> {
  return {
    name,
    help,
    type: 'text',
    secret: false,
    defaultText: undefined,
    parse(given) {
      if (given === undefined) throw new TypeError(`must be set: ${help}`);
      check?.(given);
      return given;
    },
  };
}

interface OptionalOptions {
  readonly help: string;
  readonly check?: (text: string) => unknown;
  readonly secret?: boolean;
  readonly lowerCaseToo?: boolean;
}

/** A text that may be left out. `check` throws a TypeError for a value that won't do. */
export function optional(
  name: string,
  { help, check, secret = false, lowerCaseToo = false }: OptionalOptions,
): Variable<string | undefined> {
  return {
    name,
    help,
    type: 'text',
    secret,
    lowerCaseToo,
    defaultText: undefined,
    parse(given) {
      if (given !== undefined) check?.(given);
      return given;
    },
  };
}

export function integer(
  name: string,
  options: Common<number> & { min: number; max: number; defaultText?: string },
): Variable<number> {
  const { default: fallback, min, max, help, defaultText = String(fallback) } = options;
  return {
    name,
    help,
    type: `${min} to ${max}`,
    secret: false,
    defaultText,
    parse(given) {
      if (given === undefined) return fallback;
      const value = /^-?\d+$/.test(given) ? Number(given) : Number.NaN;
      if (!(value >= min && value <= max))
        throw new TypeError(`must be a whole number from ${min} to ${max}`);
      return value;
    },
  };
}

export function choice<T extends string>(
  name: string,
  choices: readonly T[],
  { default: fallback, help }: Common<T>,
): Variable<T> {
  return {
    name,
    help,
    type: choices.join(', '),
    secret: false,
    defaultText: fallback,
    parse(given) {
      if (given === undefined) return fallback;
      if (!(choices as readonly string[]).includes(given))
        throw new TypeError(`must be one of ${choices.join(', ')}`);
      return given as T;
    },
  };
}

/** A comma-separated list. `check` throws a TypeError for an item that won't do. */
export function list(
  name: string,
  { help, check, secret = false, lowerCaseToo = false }: OptionalOptions,
): Variable<readonly string[]> {
  return {
    name,
    help,
    type: 'list, by commas',
    secret,
    lowerCaseToo,
    defaultText: undefined,
    parse(given) {
      const items = (given ?? '')
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
      for (const item of items) check?.(item);
      return Object.freeze(items);
    },
  };
}

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A span of time in milliseconds, written 500ms, 30s, 5m, 2h or 7d; a plain number is seconds. */
export function durationMs(
  name: string,
  options: { default: string; min: string; max: string; help: string },
): Variable<number> {
  const [fallback, min, max] = [
    parseDurationMs(options.default),
    parseDurationMs(options.min),
    parseDurationMs(options.max),
  ];
  return {
    name,
    help: options.help,
    type: `${options.min} to ${options.max}`,
    secret: false,
    defaultText: options.default,
    parse(given) {
      if (given === undefined) return fallback;
      const value = parseDurationMs(given);
      if (!(value >= min && value <= max))
        throw new TypeError(
          `must be a time from ${options.min} to ${options.max}, such as ${options.default}`,
        );
      return value;
    },
  };
}

/** NaN where the text is no duration. */
export function parseDurationMs(given: string): number {
  const [, number, unit = 's'] = /^(\d{1,15})(ms|s|m|h|d)?$/.exec(given) ?? [];
  return number === undefined ? Number.NaN : Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
