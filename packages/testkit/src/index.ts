/** How we prove it: real Redis, real HTTP, real processes, and networks that fail. */
export { CLOCKS_DIFFER_MS } from './clocks.ts';
export { type Authority, createAuthority, type Identity } from './certificates.ts';
export { freePort } from '@hookfleet/embedded-redis';
export { eventually } from './eventually.ts';
export { type HttpProxy, type ProxiedRequest, startHttpProxy } from './http-proxy.ts';
export { type PrometheusFamily, parsePrometheus, sampleValue } from './parse-prometheus.ts';
export {
  type Answer,
  type LedgerEntry,
  type ReceivedRequest,
  type Receiver,
  type ReceiverOptions,
  startReceiver,
} from './receiver.ts';
export {
  type PrometheusSeries,
  promtool,
  startPrometheus,
  type TestPrometheus,
} from './start-prometheus.ts';
export { createLoopHeld, LOOP_METER } from './loop-meter.ts';
export { END_WITH_PARENT, type StartedProcess, startProcess } from './start-process.ts';
export { processEnvironment } from './process-environment.ts';
export { type ProxiedConnection, startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
export { startTestCluster, type TestCluster } from './test-cluster.ts';
export type { FailingRedis } from './failing-redis.ts';
export { startTestFailoverCluster } from './test-failover-cluster.ts';
export { startTestRedis } from './test-redis.ts';
export { makeTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';
export { startTestSentinel, type TestSentinel } from './test-sentinel.ts';
export { type CollectedSpan, startTraceCollector, type TraceCollector } from './trace-collector.ts';
export { type DocumentedApi, type ExampleCall, exampleCalls, undocumented } from './documented-calls.ts';
export { type ApiDescription, askWithUnknownInput, inlineComponents } from './unknown-input.ts';
