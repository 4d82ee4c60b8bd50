/** Moves jobs by their ids alone, without reading what they hold. */
import { Job, type Queue } from 'bullmq';

/** Enough of a job to move it. */
export function emptyJob(queue: Queue, id: string): Job {
  return new Job(queue, '', {}, {}, id);
}

/** False if the job is not where it would be moved from: a worker has taken it, or it is done. Rejects with any other error. */
export async function unlessGone(move: Promise<void>): Promise<boolean> {
  try {
    await move;
    return true;
  } catch (error) {
    if (/Missing key|not in the delayed state|not in a state/i.test((error as Error).message)) return false;
    throw error;
  }
}
