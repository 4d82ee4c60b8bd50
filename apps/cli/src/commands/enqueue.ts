/** `hookfleet enqueue`: a file of webhooks, one a line; a run that was interrupted goes on where it stopped. */
import type { Command } from 'commander';
import { stat } from 'node:fs/promises';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { enqueueLines } from '../enqueue-lines.ts';
import { type EnqueueState, newRun, readState, writeState } from '../enqueue-state.ts';
import { EXIT } from '../exit-status.ts';
import { count } from '../numbers-as-text.ts';
import { progressLine } from '../progress-bar.ts';
import { openBytes, STANDARD_INPUT } from '../read-input.ts';
import { write, writeNote, writeProgress } from '../terminal.ts';
import { parseDuration, parsePositiveInteger } from './flag-values.ts';

interface EnqueueOptions extends FleetOptions {
  readonly state?: string;
  readonly again?: boolean;
  readonly batchSize: number;
  readonly patience: number;
}

// What a bulk call may hold is more; a smaller one is repeated sooner, and costs the producer less memory.
const WEBHOOKS_PER_CALL = 1_000;
const PATIENCE_MS = 60_000;
const PLAIN_LINE_EVERY_MS = 2_000;

export function addEnqueue(program: Command, { environment, end }: CommandContext): void {
  withFleetOptions(program.command('enqueue'))
    .description('enqueue a file of webhooks, one JSON object a line; the same command again goes on')
    .argument('<file>', 'NDJSON, - for standard input')
    .option(
      '--state <file>',
      'how far it is; beside the file when absent. Standard input goes on with one alone',
    )
    .option('--again', 'send the whole file once more')
    .option('--batch-size <n>', 'webhooks a call', parsePositiveInteger, WEBHOOKS_PER_CALL)
    .option('--patience <time>', 'ask a producer that is away again for so long', parseDuration, PATIENCE_MS)
    .action(async (file: string, options: EnqueueOptions) => {
      const { producer, json } = openFleet(options, environment);
      const statePath = options.state ?? (file === STANDARD_INPUT ? undefined : `${file}.enqueued`);
      const chunks = await openBytes(file);
      const state = (!options.again && statePath !== undefined && (await readState(statePath))) || newRun();
      if (state.lines > 0) writeNote(`going on after line ${count(state.lines)}, as ${statePath} says`);
      // Before the first call: the keys of what it enqueues must be known to whoever goes on.
      if (statePath !== undefined) await writeState(statePath, state);
      const startedAt = performance.now();
      const showProgress = progressOf(state, await sizeOf(file), startedAt);
      const ended = await enqueueLines({
        producer,
        chunks,
        state,
        webhooksPerCall: Math.min(options.batchSize, 5_000),
        patienceMs: options.patience,
        async onSent(now) {
          if (statePath !== undefined) await writeState(statePath, now);
          showProgress(now);
        },
        onWaiting: (reason) => writeNote(`waiting: ${reason}`),
      });
      writeProgress('');
      const seconds = Math.round(performance.now() - startedAt) / 1_000;
      const enqueued = ended.webhooks - state.webhooks;
      if (json)
        write(JSON.stringify({ enqueued, enqueuedBefore: state.webhooks, lines: ended.lines, seconds }));
      else write(summaryOf(enqueued, state.webhooks, seconds));
      return end(EXIT.done);
    });
}

function summaryOf(enqueued: number, before: number, seconds: number): string {
  if (enqueued === 0 && before > 0)
    return `Nothing is left to send: ${count(before)} webhooks were enqueued before. --again sends them once more.`;
  const rate = count(Math.round(enqueued / Math.max(seconds, 0.001)));
  const earlier = before === 0 ? '' : `, and ${count(before)} before`;
  return `${count(enqueued)} webhooks enqueued in ${seconds} s, ${rate} a second${earlier}.`;
}

async function sizeOf(file: string): Promise<number | undefined> {
  return file === STANDARD_INPUT ? undefined : (await stat(file)).size;
}

/** A line that is written over on a terminal; elsewhere one now and then. */
function progressOf(begun: EnqueueState, bytesTotal: number | undefined, startedAt: number) {
  let lastPlainAt = startedAt;
  return (now: EnqueueState) => {
    const atMs = performance.now();
    const line = progressLine({
      webhooks: now.webhooks,
      webhooksOfRun: now.webhooks - begun.webhooks,
      bytes: now.bytes,
      bytesOfRun: now.bytes - begun.bytes,
      bytesTotal,
      elapsedMs: atMs - startedAt,
    });
    if (process.stderr.isTTY) return writeProgress(line);
    if (atMs - lastPlainAt < PLAIN_LINE_EVERY_MS) return;
    lastPlainAt = atMs;
    writeNote(line);
  };
}
