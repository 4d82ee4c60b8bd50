/** What our HTTP APIs have in common. */
export { isBelowV1 } from './below-v1.ts';
export { type ApiOptions, createApi } from './create-api.ts';
export type { ApiDocument, OperationDocument } from './documentation/document-api.ts';
export { jsonBytes, type OnJsonValues } from './json-bodies.ts';
export { openApiFileProblem, writeOpenApiFile } from './openapi-file.ts';
export { PAGE_CONTENT_SECURITY_POLICY } from './page-policy.ts';
export {
  bodyTooLarge,
  invalidInput,
  PROBLEM_CONTENT_TYPE,
  ProblemError,
  toProblem,
  unavailable,
} from './problems.ts';
export type { SessionStore } from './sessions.ts';
export { traceOfCall } from './trace-hook.ts';
export type { BeginWait } from './wait-until-kept.ts';
