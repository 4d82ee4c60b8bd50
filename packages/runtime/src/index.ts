/** How a process of ours lives: configuration, logs, start and stop, health and metrics. */
export {
  bearerTokenOf,
  bindProblems,
  type Caller,
  createApiKeyCheck,
  fingerprintOf,
  isLoopback,
  parseApiKey,
  parseApiKeys,
  ROLES,
  type Role,
} from './api-keys.ts';
export { answerClientError } from './answer-client-error.ts';
export { createBoundedServer } from './bounded-server.ts';
export { variableRows } from './describe-variables.ts';
export { createLifecycle, type Lifecycle, startApplication } from './lifecycle.ts';
export * from './load-config.ts';
export { encryptionVariables, fleetVariables, recoveryVariables } from './fleet-config.ts';
export { maskPasswords, maskUrlsIn } from './mask-passwords.ts';
export { createLogger, LOG_LEVELS, type Logger, type LogLevel } from './logger.ts';
export { createMetricsRegistry } from './process-metrics.ts';
export { PRIVATE_HEADERS, SECURITY_HEADERS } from './security-headers.ts';
export { listen } from './listen.ts';
export type { Check, OpsOptions } from './ops-answers.ts';
export { addOpsRoutes } from './ops-routes.ts';
export { createOpsServer } from './ops-server.ts';
export { VERSION } from './version.ts';
