/** What our HTTP APIs have in common. */
export { type ApiOptions, createApi } from './create-api.ts';
export { jsonBytes } from './json-bodies.ts';
export { openApiFileProblem, writeOpenApiFile } from './openapi-file.ts';
export { invalidInput, PROBLEM_CONTENT_TYPE, ProblemError, toProblem, unavailable } from './problems.ts';
export { traceOfCall } from './trace-hook.ts';
