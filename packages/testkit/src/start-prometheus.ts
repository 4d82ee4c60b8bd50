/** A real Prometheus on loopback, with data of its own that is gone afterwards. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@hookfleet/embedded-redis';
import { eventually } from './eventually.ts';
import { locatePrometheus } from './locate-prometheus.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

export interface PrometheusSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface TestPrometheus {
  readonly url: string;
  /** The query's instant vector (a scalar: one series without labels). Throws where Prometheus refuses it. */
  query(expression: string): Promise<PrometheusSeries[]>;
  /** A GET of its HTTP API, such as `rules`. */
  api(path: string): Promise<unknown>;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

/** What promtool printed. Rejects, with it, where promtool finds fault. */
export async function promtool(...args: string[]): Promise<string> {
  const { promtool: program } = await locatePrometheus();
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args);
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`promtool ${args.join(' ')}:\n${stdout}${stderr}`);
  }
}

/** `configFile` may name its rule files relative to itself. */
export async function startPrometheus(configFile: string): Promise<TestPrometheus> {
  const { prometheus } = await locatePrometheus();
  const directory = await makeTemporaryDirectory('prometheus');
  const url = `http://127.0.0.1:${await freePort()}`;
  const logFile = join(directory.path, 'prometheus.log');
  const log = await open(logFile, 'w');
  const child: ChildProcess = spawn(
    prometheus,
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(directory.path, 'data')}`,
      `--web.listen-address=${url.slice('http://'.length)}`,
    ],
    { stdio: ['ignore', log.fd, log.fd] },
  );
  await log.close();
  const exited = once(child, 'exit');
  const endWithUs = () => child.kill('SIGKILL');
  process.on('exit', endWithUs);

  async function stop(): Promise<void> {
    process.off('exit', endWithUs);
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    if (child.exitCode === null && child.signalCode === null) await exited;
    clearTimeout(timer);
    await directory.remove();
  }

  async function api(path: string): Promise<unknown> {
    const response = await fetch(`${url}/api/v1/${path}`);
    const answer = (await response.json()) as { status: string; data: unknown; error?: string };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }

  try {
    await eventually(
      async () => {
        const ended = child.exitCode !== null || child.signalCode !== null;
        if (ended || !(await fetch(`${url}/-/ready`)).ok) throw new Error(await readFile(logFile, 'utf8'));
      },
      { timeoutMs: START_TIMEOUT_MS, intervalMs: 50 },
    );
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    url,
    api,
    stop,
    async query(expression) {
      const { resultType, result } = (await api(`query?query=${encodeURIComponent(expression)}`)) as {
        resultType: string;
        result: [number, string] | { metric: Record<string, string>; value: [number, string] }[];
      };
      if (resultType === 'scalar') return [{ metric: {}, value: Number(result[1]) }];
      if (resultType !== 'vector') throw new Error(`${expression}: ${resultType} is no instant vector`);
      return (result as { metric: Record<string, string>; value: [number, string] }[]).map((series) => ({
        metric: series.metric,
        value: Number(series.value[1]),
      }));
    },
  };
}
