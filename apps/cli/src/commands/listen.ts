/** `hookfleet listen`: a receiver on this machine that prints what arrives, and verifies its signature. */
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { EXIT, EXIT_STATUSES_HELP, UsageError } from '../exit-status.ts';
import { type ReceivedWebhook, startLocalReceiver } from '../local-receiver.ts';
import { untilSignalled } from '../signals.ts';
import { bad, faint, good, strong } from '../style.ts';
import { write, writeNote } from '../terminal.ts';
import { printable } from '../text-table.ts';
import { createVerifier, type Verdict, type Verifier } from '../verify-signature.ts';
import { gather, parseDuration, parsePort, parsePositiveInteger, parseStatus } from './flag-values.ts';

interface ListenOptions {
  readonly port: number;
  readonly host: string;
  readonly secret?: readonly string[];
  readonly status: number;
  readonly delay: number;
  readonly count?: number;
  readonly headers?: boolean;
  readonly json?: boolean;
}

const PORT = 8090;
const BODY_SHOWN = 2_000;

export function addListen(program: Command, { end }: CommandContext): void {
  program
    .command('listen')
    .description('receive webhooks on this machine, verify their signatures, and print them')
    .option('--port <n>', '0 takes a free one', parsePort, PORT)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--secret <secret>', 'whsec_…, whpk_… or whsk_…: verifies signatures; may be given again', gather)
    .option('--status <code>', 'what to answer', parseStatus, 200)
    .option('--delay <time>', 'answer after so long', parseDuration, 0)
    .option(
      '--count <n>',
      'leave after so many: with status 1 where a signature was wrong',
      parsePositiveInteger,
    )
    .option('--headers', 'print all headers')
    .option('--json', 'a JSON document a line: first {"url"}, then each request')
    .addHelpText('after', EXIT_STATUSES_HELP)
    .action(async (options: ListenOptions) => {
      const { port, host, status, delay: delayMs, count } = options;
      const verify = verifierOf(options);
      const print = options.json ? printJson : options.headers ? printWithHeaders : printText;
      const { promise: enough, resolve } = Promise.withResolvers<void>();
      let answered = 0;
      let allVerified = true;
      const receiver = await startLocalReceiver({
        port,
        host,
        status,
        delayMs,
        onReceived(webhook) {
          const verdict = verify?.(signedPartsOf(webhook), Date.now());
          allVerified &&= verdict?.verified !== false;
          print(webhook, verdict);
        },
        onAnswered() {
          answered += 1;
          if (answered === count) resolve();
        },
      });
      if (options.json) write(JSON.stringify({ url: receiver.url }));
      else writeNote(`Listening on ${receiver.url}; answers ${status}. Ctrl-C ends it.`);
      await Promise.race([enough, untilSignalled()]);
      await receiver.close();
      return end(allVerified ? EXIT.done : EXIT.failed);
    });
}

function verifierOf({ secret }: ListenOptions): Verifier | undefined {
  try {
    return secret === undefined ? undefined : createVerifier(secret);
  } catch (error) {
    throw new UsageError(`--secret: ${(error as Error).message}`);
  }
}

function signedPartsOf({ headers, body }: ReceivedWebhook) {
  return {
    id: headers['webhook-id'],
    timestamp: headers['webhook-timestamp'],
    signature: headers['webhook-signature'],
    body,
  };
}

function printJson({ method, path, headers, body }: ReceivedWebhook, verdict: Verdict | undefined): void {
  const at = new Date().toISOString();
  write(JSON.stringify({ at, method, path, headers, body: body.toString('utf8'), ...verdict }));
}

function printText({ method, path, headers, body }: ReceivedWebhook, verdict: Verdict | undefined): void {
  const id = headers['webhook-id'];
  const mark = verdict === undefined ? '' : `  ${verdictText(verdict)}`;
  write(
    `${strong(method)} ${printable(path)}  ${faint(id === undefined ? 'no webhook-id' : printable(id))}${mark}`,
  );
  if (body.length > 0) write(`  ${printable(body.toString('utf8'), BODY_SHOWN)}`);
}

function printWithHeaders(webhook: ReceivedWebhook, verdict: Verdict | undefined): void {
  printText({ ...webhook, body: Buffer.alloc(0) }, verdict);
  for (const [name, value] of Object.entries(webhook.headers))
    write(`  ${faint(`${name}:`)} ${printable(value)}`);
  if (webhook.body.length > 0) write(`\n  ${printable(webhook.body.toString('utf8'), BODY_SHOWN)}\n`);
}

function verdictText(verdict: Verdict): string {
  return verdict.verified ? good(`✓ ${verdict.scheme}`) : bad(`✗ ${printable(verdict.why)}`);
}
