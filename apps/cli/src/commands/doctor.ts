/** `hookfleet doctor`: looks at Redis, the settings and the fleet, and says what is wrong and what mends it. Changes nothing. */
import type { WorkerEgress } from '@hookfleet/queue';
import type { Command } from 'commander';
import type { Api } from '../api.ts';
import { checkSettings } from '../check-settings.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { EXIT, RefusedError } from '../exit-status.ts';
import { egressFinding, type Finding, lanesFindings, workersFinding } from '../findings.ts';
import type { FleetView } from '../fleet-screen.ts';
import { bad, doubtful, faint, good } from '../style.ts';
import { write } from '../terminal.ts';
import { printable } from '../text-table.ts';
import { gather } from './flag-values.ts';

interface DoctorOptions extends FleetOptions {
  readonly redis?: string;
  readonly url?: readonly string[];
}

type Settings = Readonly<Record<string, string | undefined>>;

const MARKS = { ok: good('✓'), doubtful: doubtful('!'), wrong: bad('✗'), unknown: faint('–') };
// Only so that the other variables can be judged where it isn't set; nothing connects to it.
const ANY_REDIS_URL = 'redis://127.0.0.1:6379';

export function addDoctor(program: Command, { environment, end }: CommandContext): void {
  withFleetOptions(program.command('doctor'))
    .description('check Redis, the settings in this environment, and the fleet; say what to fix')
    .option('--redis <url>', 'REDIS_URL')
    .option('--url <url>', 'may webhooks be sent there? Nothing is sent; may be given again', gather)
    .action(async (options: DoctorOptions) => {
      const { producer, aggregator, json } = openFleet(options, environment);
      const redisUrl = options.redis ?? environment['REDIS_URL'];
      const settings = { ...environment, REDIS_URL: redisUrl || ANY_REDIS_URL };
      const { checkRedisUrl, examineRedis } = await import('../examine-redis.ts');
      checkRedisUrl(redisUrl);
      const findings = (
        await Promise.all([
          examineRedis(redisUrl),
          checkedSettings(settings),
          checkedEgress(aggregator, settings, options.url ?? []),
          checkedApi(producer, 'producer', '/v1/channels', () => []),
          checkedApi(aggregator, 'aggregator', '/v1/fleet', (fleet) => [
            workersFinding(fleet as FleetView),
            ...lanesFindings(fleet as FleetView, Date.now()),
          ]),
        ])
      ).flat();
      const isWell = findings.every(({ state }) => state !== 'wrong');
      if (json) write(JSON.stringify({ ok: isWell, findings }));
      else for (const line of findings.flatMap(linesOf)) write(line);
      return end(isWell ? EXIT.done : EXIT.failed);
    });
}

function linesOf({ about, state, found, mend }: Finding): string[] {
  const line = `${MARKS[state]} ${printable(about)}: ${printable(found)}`;
  return mend === undefined ? [line] : [line, `    ${mend}`];
}

/** As the applications would start with, here: on another machine they may have others. */
async function checkedSettings(settings: Settings): Promise<Finding[]> {
  const reports = await Promise.all([
    checkSettings('producer', settings),
    checkSettings('worker', settings),
    checkSettings('aggregator', settings),
  ]);
  return reports.flatMap(({ application, problems }): Finding[] => {
    const about = `settings of ${application}s`;
    if (problems.length === 0) return [{ about, state: 'ok', found: 'will do' }];
    return problems.map((found) => ({ about, state: 'wrong', found }));
  });
}

/** By the rules of the workers that run, whatever this environment has. Names are resolved here. */
async function checkedEgress(
  aggregator: Api,
  settings: Settings,
  urls: readonly string[],
): Promise<Finding[]> {
  if (urls.length === 0) return [];
  // What keeps the aggregator from answering is a finding of its own.
  const { workers } = await aggregator
    .get<Pick<FleetView, 'workers'>>('/v1/fleet')
    .catch(() => ({ workers: [] }));
  const told = workers.filter(({ egress }) => egress !== undefined);
  if (told.length === 0) return egressOfEnvironment(settings, urls);
  const policies = Map.groupBy(told, ({ egress }) => JSON.stringify(egress));
  const findings = await Promise.all(
    [...policies.values()].map(async (alike) => {
      const by = policies.size === 1 ? undefined : alike.map(({ workerId }) => workerId).join(', ');
      const { egress } = await checkSettings('worker', settingsOf(settings, alike[0]?.egress), urls);
      return egress.map((report) => egressFinding(report, by));
    }),
  );
  return findings.flat();
}

async function egressOfEnvironment(settings: Settings, urls: readonly string[]): Promise<Finding[]> {
  const { egress } = await checkSettings('worker', settings, urls);
  return egress.map((report): Finding => {
    const finding = egressFinding(report, 'by this environment: no worker says what it allows');
    return finding.state === 'wrong' && report.fault === undefined
      ? { ...finding, state: 'doubtful' }
      : finding;
  });
}

// Whether there is a proxy matters here, and not which: nothing is sent.
const ANY_PROXY = 'http://127.0.0.1:9';

function settingsOf({ PATH, REDIS_URL }: Settings, egress: WorkerEgress | undefined): Settings {
  const { allow = [], proxied = [], noProxy = [] } = egress ?? {};
  return {
    PATH,
    REDIS_URL,
    HOOKFLEET_EGRESS_ALLOW: allow.join(','),
    ...(proxied.includes('http') && { HTTP_PROXY: ANY_PROXY }),
    ...(proxied.includes('https') && { HTTPS_PROXY: ANY_PROXY }),
    NO_PROXY: noProxy.join(','),
  };
}

/** Is it there and ready, and does it take the key? `look` at what it answered. */
async function checkedApi(
  api: Api,
  about: string,
  path: string,
  look: (answer: unknown) => Finding[],
): Promise<Finding[]> {
  try {
    await api.get('/readyz');
    return [{ about, state: 'ok', found: `ready at ${api.url}` }, ...look(await api.get(path))];
  } catch (error) {
    const isKeyWrong = error instanceof RefusedError && error.problem.status === 401;
    if (isKeyWrong)
      return [{ about, state: 'wrong', found: `${api.url} does not take the key`, mend: error.message }];
    return [{ about, state: 'wrong', found: (error as Error).message }];
  }
}
