/** Asks each application of the fleet whether it would start with these settings: its own loader is the judge. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type Application, buildApplication } from '@hookfleet/build';
import type { EgressReport } from './findings.ts';

export interface SettingsReport {
  readonly application: Application;
  /** One line a variable; none where all will do. */
  readonly problems: readonly string[];
  /** Of the URLs that were asked about: of the worker alone. */
  readonly egress: readonly EgressReport[];
}

export async function checkSettings(
  application: Application,
  environment: Readonly<Record<string, string | undefined>>,
  urls: readonly string[] = [],
): Promise<SettingsReport> {
  const entry = await buildApplication(application);
  const child = spawn(process.execPath, [entry, '--check', ...urls], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment,
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  const problems = stderr
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(`${application}: `, ''));
  if (status === 0) return { application, problems: [], egress: linesOfJson(stdout) };
  return { application, problems: problems.length > 0 ? problems : [`ended with ${status}`], egress: [] };
}

function linesOfJson(stdout: string): EgressReport[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EgressReport);
}
