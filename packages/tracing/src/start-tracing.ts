/** Switches tracing on where the environment asks for it. What it needs is loaded then, and not before. */
import type { TracingConfig } from './tracing-config.ts';
import type { Tracing } from './tracing.ts';

export interface StartTracingOptions {
  readonly app: string;
  /** Of the whole process: what is left at its end is sent within a tenth of it, and three seconds. */
  readonly shutdownTimeoutMs: number;
  /** Spans could not be sent, or were dropped. */
  readonly onProblem: (problem: string) => void;
}

/** Undefined, and nothing done, without a configuration. */
export async function startTracing(
  config: TracingConfig | undefined,
  options: StartTracingOptions,
): Promise<Tracing | undefined> {
  if (config === undefined) return undefined;
  const { openTracing } = await import('./open-tracing.ts');
  return openTracing(config, options);
}
