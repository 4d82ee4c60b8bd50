/**
 * Runs one story after the other on a fleet, each under ids that no other run has. The destinations of a story stay open for
 * a while after its end: a webhook that is sent again when some lease runs out arrives there, and is found.
 */
import type { History, Violation } from './history.ts';
import type { ModelFleet } from './model-fleet.ts';
import { violationsOf } from './oracle/oracle.ts';
import type { Slack } from './oracle/slack.ts';
import { type Recorder, startRecorder } from './record-requests.ts';
import { runStory } from './run-story.ts';
import type { Story } from './story.ts';

// Longer than a lease, after which a webhook that was taken for lost is sent again.
const LATE_MS = 20_000;

export interface Runner {
  run(story: Story): Promise<{ violations: Violation[]; history: History }>;
  /** The last run kept every promise: from now on nothing of it may arrive. */
  keep(story: Story): void;
  /** What arrived though its story was over, of the stories that were kept. */
  end(): Promise<{ story: Story; text: string }[]>;
}

interface Over {
  readonly recorder: Recorder;
  readonly received: number;
  readonly closeAtMs: number;
  story?: Story;
}

export function createRunner(fleet: ModelFleet, slack: Slack): Runner {
  let runs = 0;
  let over: Over[] = [];
  const late: { story: Story; text: string }[] = [];

  /** Closes the destinations of stories that are long over. */
  async function closeUntil(nowMs: number): Promise<void> {
    const closing = over.filter(({ closeAtMs }) => closeAtMs <= nowMs);
    over = over.filter((one) => !closing.includes(one));
    for (const { recorder, received, story } of closing) {
      const more = recorder.received.slice(received);
      if (story !== undefined && more.length > 0)
        late.push({
          story,
          text: `${more.length} requests arrived after all webhooks had ended (${more[0]?.requestId}).`,
        });
      await recorder.close();
    }
  }

  return {
    async run(story) {
      runs += 1;
      await closeUntil(performance.now());
      const prefix = `seed-${story.seed}-run-${runs}`;
      const recorder = await startRecorder(prefix);
      const history = await runStory(fleet, recorder, story, prefix);
      recorder.stopTicking();
      const closeAtMs = performance.now() + LATE_MS;
      over.push({ recorder, received: history.received.length, closeAtMs });
      return { history, violations: violationsOf(history, slack) };
    },
    keep(story) {
      const last = over.at(-1);
      if (last !== undefined) last.story = story;
    },
    async end() {
      await closeUntil(Number.POSITIVE_INFINITY);
      return late;
    },
  };
}
