/** The receiver of all that the benchmark delivers, in a process of its own (receiver-process.ts), and where it listens. */
import { type DrillChild, startDrillChild } from '../drill-child.ts';
import type { Received, ReceiverSettings } from './receiver-process.ts';

export async function startReceiver(settings: ReceiverSettings = {}): Promise<{
  readonly receiver: DrillChild<Received>;
  readonly url: string;
}> {
  const receiver = await startDrillChild<Received>(
    new URL('./receiver-process.ts', import.meta.url),
    settings,
  );
  const { url } = await receiver.ask({});
  return { receiver, url };
}
