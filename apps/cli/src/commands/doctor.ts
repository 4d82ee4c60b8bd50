/** `hookfleet doctor`: looks at Redis, the settings and the fleet, and says what is wrong and what mends it. Changes nothing. */
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

const MARKS = { ok: good('✓'), doubtful: doubtful('!'), wrong: bad('✗'), unknown: faint('–') };
// Only so that the other variables can be judged where it isn't set; nothing connects to it.
const ANY_REDIS_URL = 'redis://127.0.0.1:6379';

export function addDoctor(program: Command, { environment, end }: CommandContext): void {
  withFleetOptions(program.command('doctor'))
    .description('check Redis, the settings in this environment, and the fleet; say what to mend')
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
          checkedSettings(settings, options.url ?? []),
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
async function checkedSettings(
  settings: Readonly<Record<string, string | undefined>>,
  urls: readonly string[],
): Promise<Finding[]> {
  const reports = await Promise.all([
    checkSettings('producer', settings),
    checkSettings('worker', settings, urls),
    checkSettings('aggregator', settings),
  ]);
  return reports.flatMap(({ application, problems, egress }): Finding[] => {
    const about = `settings of ${application}s`;
    if (problems.length === 0)
      return [{ about, state: 'ok', found: 'will do' }, ...egress.map(egressFinding)];
    return problems.map((found) => ({ about, state: 'wrong', found }));
  });
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
