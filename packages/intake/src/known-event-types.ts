/**
 * The activated custom events as of a second ago, each with its validator, which is compiled when its first event
 * comes. Redis' failures leave them as they were. A validator lives until its type changes.
 */
import {
  compileValidator,
  ERRORS_MAX as OTHERS_NAMED_MAX,
  type EventType,
  numericProperties,
  otherProperties,
  propertiesSchema,
  type Validator,
} from '@hookfleet/contract';
import { type EventTypes, parseEventType } from '@hookfleet/queue';

const REFRESH_MS = 1_000;

export interface KnownEventType {
  /** Names of the properties that are summed. */
  readonly numeric: ReadonlySet<string>;
  /** Properties that are not activated are among its errors if the type is strict. */
  readonly validate: Validator<Readonly<Record<string, unknown>>>;
  /** Paths of the properties that are not activated. */
  readonly othersIn: (properties: Readonly<Record<string, unknown>>) => string[];
}

export interface KnownEventTypes {
  /** Undefined where the event is not activated. */
  of(name: string): KnownEventType | undefined;
  /** Asks Redis now: before an event is refused, and after a change of our own. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

interface Entry {
  readonly text: string;
  compiled?: KnownEventType;
}

export async function startKnownEventTypes({
  store,
  onGone,
  onError,
}: {
  store: Pick<EventTypes, 'version' | 'all'>;
  /** Told of each name that is no longer activated. */
  onGone: (name: string) => void;
  onError: (error: Error, context: Record<string, unknown>) => void;
}): Promise<KnownEventTypes> {
  let entries: ReadonlyMap<string, Entry> = new Map();
  let version = '';

  async function read(): Promise<void> {
    // The version first: what changes between the two calls is read, and read again with the next version.
    const latest = await store.version();
    if (latest === version) return;
    const texts = await store.all();
    const before = entries;
    entries = new Map(
      [...texts].map(([name, text]) => {
        const known = before.get(name);
        return [name, known?.text === text ? known : { text }];
      }),
    );
    version = latest;
    for (const name of before.keys()) if (!texts.has(name)) onGone(name);
  }

  let reading: Promise<void> | undefined;
  const readOnce = () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  await readOnce();
  const timer = setInterval(() => {
    readOnce().catch((error: Error) => onError(error, { doing: 'read event types' }));
  }, REFRESH_MS);

  return {
    of(name) {
      const entry = entries.get(name);
      if (entry === undefined) return undefined;
      entry.compiled ??= toKnownEventType(parseEventType(entry.text));
      return entry.compiled;
    },
    async refresh() {
      // A reading that is under way may have asked too early.
      await reading?.catch(() => undefined);
      await readOnce();
    },
    async stop() {
      clearInterval(timer);
      await reading?.catch(() => undefined);
    },
  };
}

export function toKnownEventType(type: EventType): KnownEventType {
  return {
    numeric: new Set(numericProperties(type)),
    validate: compileValidator(propertiesSchema(type)),
    othersIn: (properties) => otherProperties(type, properties, OTHERS_NAMED_MAX),
  };
}
