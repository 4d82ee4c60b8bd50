/** The files of docker/, read as their tools read them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const root = fileURLToPath(new URL('../../../', import.meta.url));

export const ROOT = root;
export const DOCKER = `${ROOT}docker/`;

export const APPLICATIONS = ['producer', 'worker', 'aggregator'] as const;

export type Application = (typeof APPLICATIONS)[number];

/** A parsed YAML or JSON value whose shape the tests state by asking for it. */
// biome-ignore lint/suspicious/noExplicitAny: the schema of these files is their tools', and is checked as such.
export type Parsed = any;

export function textOf(path: string): string {
  return readFileSync(DOCKER + path, 'utf8');
}

export function isThere(path: string): boolean {
  return existsSync(DOCKER + path);
}

/** Every document of a YAML file. Throws for what YAML, strictly read, would not take. */
export function documentsOf(path: string): Parsed[] {
  return parseAllDocuments(textOf(path), { merge: true, strict: true, uniqueKeys: true }).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors.join('\n')}`);
    return document.toJS();
  });
}

/** Paths from docker/ on. */
export function filesIn(folder: string): string[] {
  return readdirSync(DOCKER + folder).map((name) => `${folder}/${name}`);
}

/** Names of the variables that an application reads, as the READMEs' tables, which tests hold, list them. */
export function variablesOf(application: Application): Set<string> {
  const readme = readFileSync(`${ROOT}README.md`, 'utf8');
  const ofTracing = [...textOf('README.md').matchAll(/^\| `(OTEL_[A-Z_]+)` \|/gm)];
  const names = new Set(ofTracing.map(([, name]) => name as string));
  let isRead = false;
  for (const line of readme.split('\n')) {
    const [, heading] = /^\| of ([a-z, ]+) \|/.exec(line) ?? [];
    if (heading !== undefined) isRead = heading === 'every process' || heading.includes(application);
    const [, name] = /^\| `([A-Z_]+)` \|/.exec(line) ?? [];
    if (isRead && name !== undefined) names.add(name);
  }
  return names;
}

/** The port that an application listens on where PORT is unset. */
export function defaultPortOf(application: Application): number {
  const source = readFileSync(`${ROOT}apps/${application}/src/config.ts`, 'utf8');
  return Number(/port: (\d+)/.exec(source)?.[1]);
}

/** Milliseconds of "40s", "1m30s" or a plain number of seconds. */
export function durationMs(text: string | number): number {
  const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, '': 1_000 };
  return [...String(text).matchAll(/(\d+)(ms|s|m|h|)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ''] as number),
    0,
  );
}
