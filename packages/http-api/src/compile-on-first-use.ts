/**
 * A route's validators and serializers are compiled when the route is first called. Compiling them all is most of what
 * an API's start costs, and a process never calls most of its routes.
 */
import { createAjv } from '@hookfleet/contract';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import fastJsonStringify from 'fast-json-stringify';

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;
type BuildSerializer = NonNullable<Compilers['buildSerializer']>;

/** For fastify's option `schemaController`: where fastify would compile a serializer, one is returned that compiles itself. */
export const serializersOnFirstUse: BuildSerializer = () => (route) => {
  const { schema } = route as unknown as { schema: Parameters<typeof fastJsonStringify>[0] };
  let serialize: ReturnType<typeof fastJsonStringify> | undefined;
  return (value: unknown) => {
    serialize ??= fastJsonStringify(schema);
    return serialize(value as never);
  };
};

/** Validates with the contract's ajv. fastify reads the errors of a refusal from the validator's own property. */
export function validateOnFirstUse(app: FastifyInstance): void {
  const ajv = createAjv();
  app.setValidatorCompiler(({ schema }) => {
    let compiled: ReturnType<typeof ajv.compile> | undefined;
    const validate = Object.assign(
      (value: unknown): boolean => {
        compiled ??= ajv.compile(schema as object);
        const isValid = compiled(value) as boolean;
        validate.errors = compiled.errors;
        return isValid;
      },
      { errors: undefined as ReturnType<typeof ajv.compile>['errors'] },
    );
    return validate as never;
  });
}
