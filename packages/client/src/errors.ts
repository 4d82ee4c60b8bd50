/** What a call may end in. Anything else that is thrown is the caller's own: an aborted signal's reason, a source's error. */
import type { FieldError, Problem } from './contract-types.ts';

/**
 * One application may load this file twice, as an ES module and as CommonJS, so that there are two classes of a name. Errors
 * carry a symbol that both share, and are instances of either class.
 */
function brand(ownClass: { readonly name: string; readonly prototype: object }): void {
  const symbol = Symbol.for(`@hookfleet/client/${ownClass.name}`);
  Object.defineProperty(ownClass.prototype, symbol, { value: true });
  Object.defineProperty(ownClass, Symbol.hasInstance, {
    value(this: unknown, error: unknown): boolean {
      // A class that somebody derives has only its own instances.
      if (this !== ownClass) return Function.prototype[Symbol.hasInstance].call(this as typeof Error, error);
      return typeof error === 'object' && error !== null && symbol in error;
    },
  });
}

/** The call was refused, and nothing of it was enqueued: another try would be refused too. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  /** As the API tells it (RFC 9457). 400: fields are at fault; 401, 403: the API key. */
  readonly problem: Problem;
  /** Each field at fault, as in `destination.url`. */
  readonly errors: readonly FieldError[];

  constructor(problem: Problem) {
    const errors = problem.errors ?? [];
    const named = errors
      .slice(0, 3)
      .map(({ field, detail }) => ` ${field === '' ? 'the whole' : field}: ${detail}.`);
    const others = errors.length > 3 ? ` And ${errors.length - 3} more.` : '';
    super(`${problem.detail ?? problem.title}${named.join('')}${others}`);
    this.problem = problem;
    this.errors = errors;
  }
}

brand(RefusedError);

/**
 * No answer came in time, or none but that hookfleet is away: whether the call was carried out is not known. It was
 * tried until its deadline. With an idempotencyKey of your own (an event: an id) make it again whenever you like.
 */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
  /** Milliseconds that the other side asked to wait for before another try. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
  }
}

brand(UnavailableError);
