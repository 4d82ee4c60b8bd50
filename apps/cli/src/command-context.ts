/**
 * What the commands that talk to a fleet have in common: where it is, the key, JSON or text, and how they end.
 * Flags go before the environment, and the environment before the defaults.
 */
import { parseApiKeys } from '@hookfleet/runtime/api-keys';
import { maskPasswords } from '@hookfleet/runtime/mask-passwords';
import type { Command } from 'commander';
import { type Api, createApi } from './api.ts';
import { EXIT_STATUSES_HELP, UsageError } from './exit-status.ts';

export interface CommandContext {
  readonly environment: NodeJS.ProcessEnv;
  /** Leaves the process. */
  readonly end: (status: number) => void;
}

export interface FleetOptions {
  readonly producer?: string;
  readonly aggregator?: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** A command's view of the fleet. */
export interface FleetAccess {
  readonly producer: Api;
  readonly aggregator: Api;
  readonly json: boolean;
}

const PRODUCER_URL = 'http://127.0.0.1:8080';
const AGGREGATOR_URL = 'http://127.0.0.1:8081';

/** A command with the options that say where the fleet is. */
export function withFleetOptions(command: Command): Command {
  return command
    .option('--producer <url>', `HOOKFLEET_PRODUCER_URL, or ${PRODUCER_URL}`)
    .option('--aggregator <url>', `HOOKFLEET_AGGREGATOR_URL, or ${AGGREGATOR_URL}`)
    .option('--key <key>', 'API key; else the one of HOOKFLEET_API_KEYS that may do the most')
    .option('--json', 'one JSON document on standard output; streams are one a line')
    .addHelpText('after', EXIT_STATUSES_HELP);
}

export function openFleet(options: FleetOptions, environment: NodeJS.ProcessEnv): FleetAccess {
  const key = options.key ?? firstKey(environment['HOOKFLEET_API_KEYS']);
  const api = (name: 'producer' | 'aggregator', variable: string, fallback: string) =>
    createApi({
      name,
      key,
      variable,
      url: httpUrl(options[name] ?? (environment[variable] || fallback), `--${name} or ${variable}`),
    });
  return {
    producer: api('producer', 'HOOKFLEET_PRODUCER_URL', PRODUCER_URL),
    aggregator: api('aggregator', 'HOOKFLEET_AGGREGATOR_URL', AGGREGATOR_URL),
    json: options.json ?? false,
  };
}

/** The one that may do the most. */
function firstKey(text = ''): string | undefined {
  try {
    return parseApiKeys(text)[0]?.key;
  } catch (error) {
    throw new UsageError(`HOOKFLEET_API_KEYS: ${(error as Error).message}`);
  }
}

function httpUrl(text: string, source: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new UsageError(`${source}: ${JSON.stringify(maskPasswords(text))} is no http or https URL`);
  const { username, password } = new URL(text);
  if (username !== '' || password !== '')
    throw new UsageError(
      `${source} must not hold a user or password: --key or HOOKFLEET_API_KEYS gives the key`,
    );
  return text;
}
