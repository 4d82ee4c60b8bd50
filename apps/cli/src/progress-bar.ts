/** How far a run is, on one line: a bar where the whole is known, the rate, and the time left. Pure. */
import { count, duration } from './numbers-as-text.ts';

export interface Progress {
  readonly webhooks: number;
  /** Since this run began: what an earlier one did has no part in the rate. */
  readonly webhooksOfRun: number;
  readonly bytes: number;
  readonly bytesOfRun: number;
  /** Undefined for a stream, whose end isn't known. */
  readonly bytesTotal: number | undefined;
  readonly elapsedMs: number;
}

const BAR_WIDTH = 24;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

export function progressBar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const bar = '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
  return bar.padEnd(width, '░');
}

export function progressLine(progress: Progress): string {
  const { webhooks, webhooksOfRun, bytes, bytesOfRun, bytesTotal, elapsedMs } = progress;
  const perSecond = elapsedMs > 0 ? Math.round((webhooksOfRun / elapsedMs) * 1_000) : 0;
  const facts = [`${count(webhooks)} webhooks`, `${count(perSecond)} a second`];
  if (bytesTotal === undefined || bytesTotal === 0) return facts.join('  ');
  const leftMs = bytesOfRun > 0 ? ((bytesTotal - bytes) / bytesOfRun) * elapsedMs : undefined;
  if (leftMs !== undefined && bytes < bytesTotal) facts.push(`${duration(leftMs)} left`);
  const share = bytes / bytesTotal;
  return [progressBar(share, BAR_WIDTH), `${Math.floor(share * 100)} %`.padStart(5), ...facts].join('  ');
}
