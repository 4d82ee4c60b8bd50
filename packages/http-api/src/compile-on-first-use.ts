/**
 * A route's validators and serializers are compiled when the route is first called. Compiling them all is most of what
 * an API's start costs, and a process never calls most of its routes. An API that is only described compiles them at
 * once: the test that holds its description against the routes fails for a schema that does not compile.
 */
import { compileErrorCheck } from '@hookfleet/contract';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import fastJsonStringify from 'fast-json-stringify';

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;
type BuildSerializer = NonNullable<Compilers['buildSerializer']>;
type Serialize = ReturnType<typeof fastJsonStringify>;

/** For fastify's option `schemaController`. */
export function serializersOnFirstUse({ atOnce }: { atOnce: boolean }): BuildSerializer {
  return () => (route) => {
    const { schema } = route as unknown as { schema: Parameters<typeof fastJsonStringify>[0] };
    let serialize: Serialize | undefined = atOnce ? fastJsonStringify(schema) : undefined;
    return (value: unknown) => {
      serialize ??= fastJsonStringify(schema);
      return serialize(value as never);
    };
  };
}

/** Validates as the contract does. fastify reads the errors of a refusal from the validator's own property. */
export function validateOnFirstUse(app: FastifyInstance, { atOnce }: { atOnce: boolean }): void {
  app.setValidatorCompiler(({ schema }) => {
    const errorsOf = compileErrorCheck(schema as object, { atOnce });
    const validate = Object.assign(
      (value: unknown): boolean => {
        const errors = errorsOf(value);
        validate.errors = errors;
        return errors === undefined;
      },
      { errors: undefined as ReturnType<typeof errorsOf> },
    );
    return validate as never;
  });
}
