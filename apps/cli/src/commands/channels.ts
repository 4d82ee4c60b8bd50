/** `hookfleet channels`: look at channels, write them, hold them, and test one. */
import type { ChannelTestResult } from '@hookfleet/contract';
import type { Command } from 'commander';
import { pathOf } from '../api.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../exit-status.ts';
import { duration } from '../numbers-as-text.ts';
import { objectText } from '../json-text.ts';
import { jsonText, readJson } from '../read-input.ts';
import { colourOf, faint, strong } from '../style.ts';
import { write } from '../terminal.ts';
import { printable, textTable } from '../text-table.ts';

interface ChannelView {
  readonly channelConfigId: string;
  readonly url: string;
  readonly method?: string;
  readonly circuit: { readonly state: string; readonly why?: string };
}

const BODY_SHOWN = 2_000;

export function addChannels(program: Command, { environment, end }: CommandContext): void {
  const channels = program.command('channels').description('list, get, put, delete, pause, resume, test');
  const command = (name: string, description: string) =>
    withFleetOptions(channels.command(name)).description(description);

  command('list', 'all channels; as JSON one a line').action(async (options: FleetOptions) => {
    const { producer, json } = openFleet(options, environment);
    const { channels: all } = await producer.get<{ channels: ChannelView[] }>('/v1/channels');
    const rows = all.map(({ channelConfigId, circuit, method = 'POST', url }) => [
      strong(channelConfigId),
      colourOf(circuit.state)(circuit.state),
      method,
      printable(url, 100),
    ]);
    for (const line of json ? all.map((one) => JSON.stringify(one)) : textTable(rows)) write(line);
    return end(EXIT.done);
  });

  command('get', 'a channel; its secrets are masked')
    .argument('<channel>')
    .action(async (id: string, options: FleetOptions) => {
      const { producer, json } = openFleet(options, environment);
      write(shown(await producer.get(pathOf('channels', id)), json));
      return end(EXIT.done);
    });

  command('put', 'store a channel: new, or instead of the one that is there')
    .argument('<channel>')
    .argument('<file>', 'the channel as JSON, - for standard input')
    .action(async (id: string, file: string, options: FleetOptions) => {
      const { producer, json } = openFleet(options, environment);
      write(shown(await producer.put(pathOf('channels', id), await readJson(file)), json));
      return end(EXIT.done);
    });

  command('delete', 'delete a channel; what it had accepted is still delivered')
    .argument('<channel>')
    .option('--yes', 'do not ask')
    .action(async (id: string, options: FleetOptions & { readonly yes?: boolean }) => {
      const { producer, json } = openFleet(options, environment);
      if (!(await confirm(`Delete channel ${id}?`, options.yes))) return end(EXIT.failed);
      await producer.delete(pathOf('channels', id));
      write(json ? JSON.stringify({ channelConfigId: id, deleted: true }) : `Channel ${id} is deleted.`);
      return end(EXIT.done);
    });

  for (const [verb, description] of [
    ['pause', 'send nothing to it until it is resumed'],
    ['resume', 'send what waits, and what comes'],
  ] as const) {
    command(verb, description)
      .argument('<channel>')
      .action(async (id: string, options: FleetOptions) => {
        const { producer, json } = openFleet(options, environment);
        const channel = await producer.post<ChannelView>(pathOf('channels', id, verb));
        write(json ? JSON.stringify(channel) : `Channel ${id}: ${circuitText(channel)}`);
        return end(EXIT.done);
      });
  }

  command('test', 'make one attempt now, counted nowhere: the request, the response, and where the time went')
    .argument('<channel>')
    .option('--payload <json>', 'what to send')
    .action(async (id: string, options: FleetOptions & { readonly payload?: string }) => {
      const { producer, json } = openFleet(options, environment);
      const { payload } = options;
      const body =
        payload === undefined ? undefined : objectText([['payload', jsonText(payload, '--payload')]]);
      const result = await producer.post<ChannelTestResult>(pathOf('channels', id, 'test'), body);
      write(json ? JSON.stringify(result) : testLines(result).join('\n'));
      return end(result.outcome.event === 'webhook.delivered' ? EXIT.done : EXIT.failed);
    });
}

function shown(value: unknown, json: boolean): string {
  return JSON.stringify(value, undefined, json ? 0 : 2);
}

function circuitText({ circuit: { state } }: ChannelView): string {
  return colourOf(state)(state === 'closed' ? 'webhooks are sent' : state);
}

function testLines({ request, response, timingsMs, outcome, workerId }: ChannelTestResult): string[] {
  const headers = (all: Readonly<Record<string, string | readonly string[]>>) =>
    Object.entries(all).flatMap(([name, value]) =>
      [value].flat().map((one) => printable(`  ${faint(`${name}:`)} ${one}`.trimStart(), 200)),
    );
  const phases = Object.entries(timingsMs).map(([phase, ms]) => `${phase} ${duration(ms)}`);
  const reason = [outcome.reason, outcome.detail].filter(Boolean).join(': ');
  return [
    `${strong(request.method)} ${printable(request.url)}`,
    ...headers(request.headers),
    ...bodyLines(request.body),
    '',
    response === undefined ? strong('No response') : strong(`Response ${response.statusCode}`),
    ...(response === undefined ? [] : [...headers(response.headers), ...bodyLines(response.body ?? '')]),
    '',
    `${colourOf(outcome.event)(outcome.event)}${reason === '' ? '' : ` (${reason})`}${outcome.retriable ? ', would be tried again' : ''}`,
    `${phases.join('   ')}   ${faint(`worker ${workerId}`)}`,
  ];
}

function bodyLines(body: string): string[] {
  return body === '' ? [] : ['', `  ${printable(body, BODY_SHOWN)}`];
}
