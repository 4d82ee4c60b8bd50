/** What a command's exit status says, the errors that lead to each, and how they are told. Scripts rely on the numbers. */
import type { FieldError, Problem } from '@hookfleet/contract';

export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

export const EXIT_STATUSES_HELP = `
Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 an address can't be reached.`;

/** The API answered, and said no. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.problem = problem;
  }
}

/** Nothing answered: whether the call was carried out is not known. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** The command was given what it can't work with. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function exitStatusOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof UnreachableError) return EXIT.unreachable;
  return EXIT.failed;
}

/** For standard error: a line, and one for each field at fault; as JSON one document. */
export function describeError(error: unknown, json: boolean): string {
  if (json) return JSON.stringify({ error: asProblem(error) });
  const { message } = error instanceof Error ? error : new Error(String(error));
  const errors = error instanceof RefusedError ? (error.problem.errors ?? []) : [];
  const status = error instanceof RefusedError ? ` (${error.problem.status})` : '';
  return [`hookfleet: ${message}${status}`, ...errors.map(describeField)].join('\n');
}

export function describeField({ field, type, detail }: FieldError): string {
  return `  ${field === '' ? 'the whole' : field}: ${detail} [${type}]`;
}

function asProblem(error: unknown): Partial<Problem> {
  if (error instanceof RefusedError) return error.problem;
  return { title: error instanceof Error ? error.message : String(error) };
}
