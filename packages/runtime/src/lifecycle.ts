/**
 * A process's life after its start: SIGTERM or SIGINT drains it, and it exits 0 when everything is closed. Closers
 * run one by one in the reverse order of their opening. A second signal leaves at once; so does the end of the
 * timeout, with status 1 and the name of what hung. An error that nobody handled ends the process: a supervisor's
 * restart is safer than going on in a state that nobody thought of.
 */
import type { Logger } from './logger.ts';
import { maskUrlsIn } from './mask-passwords.ts';
import { VERSION } from './version.ts';

type Closer = () => unknown;

export interface Lifecycle {
  /** Registers the closer of what was just opened. */
  onClose(name: string, close: Closer): void;
  /** True from the first signal on: readiness checks answer no. */
  isDraining(): boolean;
  /** Starts the shutdown as a signal would. */
  shutdown(reason: string): void;
}

const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

export function createLifecycle({
  logger,
  shutdownTimeoutMs,
}: {
  logger: Logger;
  shutdownTimeoutMs: number;
}): Lifecycle {
  const closers: { name: string; close: Closer }[] = [];
  let draining = false;

  async function close(reason: string): Promise<void> {
    draining = true;
    const startedAt = performance.now();
    let closing = '';
    logger.info({ reason, timeoutMs: shutdownTimeoutMs }, 'shutdown.began');
    const timer = setTimeout(() => {
      logger.error({ closing }, 'shutdown.timed_out');
      leave(1);
    }, shutdownTimeoutMs);
    let failed = false;
    for (const { name, close: closeOne } of closers.toReversed()) {
      closing = name;
      try {
        await closeOne();
      } catch (error) {
        failed = true;
        logger.error({ closing, err: error }, 'shutdown.closer_failed');
      }
    }
    clearTimeout(timer);
    logger.info({ durationMs: Math.round(performance.now() - startedAt) }, 'shutdown.ended');
    leave(failed ? 1 : 0);
  }

  function leave(code: number): void {
    logger.flush();
    process.exit(code);
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Of the time before (packages/build).
    process.removeAllListeners(signal);
    process.on(signal, () => {
      if (draining) {
        logger.warn({ signal }, 'shutdown.forced');
        leave(SIGNAL_EXIT_CODES[signal]);
      } else void close(signal);
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.fatal(
        { err: error },
        event === 'uncaughtException' ? 'exception.uncaught' : 'rejection.unhandled',
      );
      leave(1);
    });
  }

  return {
    onClose: (name, closeOne) => void closers.push({ name, close: closeOne }),
    isDraining: () => draining,
    shutdown(reason) {
      if (!draining) void close(reason);
    },
  };
}

/**
 * Runs an application's main. What stops the start is told in one line per problem, and the status is 1. With --version,
 * only that is told.
 */
export async function startApplication(app: string, main: () => Promise<void>): Promise<void> {
  if (process.argv.includes('--version')) return void process.stdout.write(`${VERSION}\n`);
  try {
    await main();
  } catch (error) {
    const text = maskUrlsIn(error instanceof Error ? error.message : String(error));
    process.stderr.write(
      `${text
        .split('\n')
        .map((line) => `${app}: ${line}`)
        .join('\n')}\n`,
    );
    process.exit(1);
  }
}
