/** Logs: pino's JSON on standard output, one line per fact, times in ISO 8601. Secrets are masked by path. */
import { type Logger, pino } from 'pino';
import { maskUrlsIn } from './mask-passwords.ts';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

// A second line of defence: no call site logs these.
const SECRET_PATHS = [
  'authorization',
  'auth',
  'signingSecrets',
  'password',
  'headers',
  'req.headers',
  'destination',
  'channel',
  'body',
  'payload',
];

// Kept while they can't be written; what comes beyond is lost.
const UNWRITTEN_CHARS_MAX = 1_000_000;

export function createLogger({ app, level }: { app: string; level: LogLevel }): Logger {
  const output = pino.destination({ dest: 1, sync: true, maxLength: UNWRITTEN_CHARS_MAX });
  // A full disk, or a reader that is gone: the line is lost, and the process goes on.
  output.on('error', () => undefined);
  return pino(
    {
      level,
      base: { app, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: SECRET_PATHS, censor: '***' },
    },
    output,
  );
}

// So many causes, and errors of an AggregateError, are told.
const CAUSES_MAX = 5;

/**
 * An error without what libraries hang on it. pino would log every property: of Redis' errors that is the command with
 * its arguments (the password of AUTH, a whole channel or bundle), of an invalid URL the URL.
 */
export function describeError(error: unknown, causesMax = CAUSES_MAX): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? maskUrlsIn(error) : typeof error;
  const { name, message, stack = '', cause } = error;
  const { code, command } = error as { code?: unknown; command?: { readonly name?: unknown } };
  const { errors } = error as { errors?: unknown };
  return {
    type: name,
    message: maskUrlsIn(message),
    stack: maskUrlsIn(stack),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(typeof command?.name === 'string' && { command: command.name }),
    ...(cause !== undefined && causesMax > 0 && { cause: describeError(cause, causesMax - 1) }),
    ...(Array.isArray(errors) &&
      causesMax > 0 && {
        errors: errors.slice(0, CAUSES_MAX).map((one) => describeError(one, causesMax - 1)),
      }),
  };
}
