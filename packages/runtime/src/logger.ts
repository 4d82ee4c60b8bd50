/** Logs: pino's JSON on standard output, one line per fact, times in ISO 8601. Secrets are masked by path. */
import { type Logger, pino } from 'pino';

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
      redact: { paths: SECRET_PATHS, censor: '***' },
    },
    output,
  );
}
