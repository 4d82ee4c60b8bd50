/** `hookfleet events`: custom events, their types, and reporting them. */
import { type Command, InvalidArgumentError } from 'commander';
import { pathOf } from '../api.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { EXIT, UsageError } from '../exit-status.ts';
import { JsonText, objectText } from '../json-text.ts';
import { readJson } from '../read-input.ts';
import { faint, strong } from '../style.ts';
import { write, writeNote } from '../terminal.ts';
import { textTable } from '../text-table.ts';

interface EventTypeView {
  readonly name: string;
  readonly activatedAt: string;
  readonly strict: boolean;
  readonly properties: Readonly<Record<string, unknown>>;
}

type Pairs = readonly (readonly [string, string])[];

interface ActivateOptions extends FleetOptions {
  readonly property?: Pairs;
  readonly strict?: boolean;
}

interface ReportOptions extends FleetOptions {
  readonly campaign?: string;
  readonly event?: string;
  readonly message?: string;
  readonly id?: string;
  readonly property?: Pairs;
}

export function addEvents(program: Command, { environment, end }: CommandContext): void {
  const events = program.command('events').description('list, activate, deactivate, report');
  const command = (name: string, description: string) =>
    withFleetOptions(events.command(name)).description(description);

  command('list', 'all activated events; as JSON one a line').action(async (options: FleetOptions) => {
    const { producer, json } = openFleet(options, environment);
    const { eventTypes } = await producer.get<{ eventTypes: EventTypeView[] }>('/v1/event-types');
    const lines = json
      ? eventTypes.map((one) => JSON.stringify(one))
      : textTable(
          eventTypes.map(({ name, properties, strict, activatedAt }) => [
            strong(name),
            Object.keys(properties).join(', '),
            strict ? 'strict' : '',
            faint(activatedAt),
          ]),
        );
    for (const line of lines) write(line);
    return end(EXIT.done);
  });

  command('activate', 'activate an event, or change its properties')
    .argument('<event>')
    .argument('[file]', 'its type as JSON, - for standard input; or --property')
    .option('--property <name=TYPE>', 'as price=FLOAT; may be given again', parsePair)
    .option('--strict', 'refuse events with other properties')
    .action(async (name: string, file: string | undefined, options: ActivateOptions) => {
      const { producer, json } = openFleet(options, environment);
      const { property = [], strict } = options;
      if (file !== undefined && (property.length > 0 || strict))
        throw new UsageError('either a file, or --property and --strict');
      const flags = { properties: Object.fromEntries(property), ...(strict && { strict }) };
      const type = file === undefined ? flags : await readJson(file);
      const stored = await producer.put<EventTypeView>(pathOf('event-types', name), type);
      write(json ? JSON.stringify(stored) : `Event ${name} is activated.`);
      return end(EXIT.done);
    });

  command('deactivate', 'refuse it from now on; what was counted stays')
    .argument('<event>')
    .action(async (name: string, options: FleetOptions) => {
      const { producer, json } = openFleet(options, environment);
      await producer.delete(pathOf('event-types', name));
      write(json ? JSON.stringify({ name, deactivated: true }) : `Event ${name} is deactivated.`);
      return end(EXIT.done);
    });

  command('report', 'report one event, or those of a file')
    .argument('[file]', 'an event or an array of up to 1,000 as JSON, - for standard input')
    .option('--campaign <id>', 'campaign')
    .option('--event <name>', 'an activated event')
    .option('--message <id>', 'message of the campaign')
    .option('--id <id>', 'a second one with the same is not counted')
    .option('--property <name=value>', 'JSON, or else a text; may be given again', parsePair)
    .action(async (file: string | undefined, options: ReportOptions) => {
      const { producer, json } = openFleet(options, environment);
      const flags = eventOf(options);
      if ((file === undefined) === (flags === undefined))
        throw new UsageError('either a file, or --campaign, --event and what else it has');
      const done = await producer.post<{ accepted: number; ignored: string[] }>(
        '/v1/events',
        file === undefined ? flags : await readJson(file),
      );
      write(json ? JSON.stringify(done) : `${done.accepted} accepted.`);
      if (!json && done.ignored.length > 0)
        writeNote(`Left out, for they are not activated: ${done.ignored.join(', ')}`);
      return end(EXIT.done);
    });
}

/** Undefined where there are no flags. */
function eventOf({ campaign, event, message, id, property }: ReportOptions): JsonText | undefined {
  const fields = {
    campaignId: campaign,
    event,
    messageId: message,
    id,
    properties:
      property && objectText([...new Map(property)].map(([name, text]) => [name, jsonOrText(text)])),
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : objectText(given);
}

function jsonOrText(text: string): unknown {
  try {
    JSON.parse(text);
    return new JsonText(text);
  } catch {
    return text;
  }
}

function parsePair(text: string, earlier: Pairs = []): Pairs {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('a name, = and a value are needed');
  return [...earlier, [name, value]];
}
