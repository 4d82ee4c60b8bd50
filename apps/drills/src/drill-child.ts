/** A drill's program in a process of its own, so that its processor time and memory are its own: it answers questions over IPC. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { END_WITH_PARENT } from '@hookfleet/testkit';

export interface DrillChild<Answer> {
  /** Sends a question, and resolves to its answer. One at a time. */
  ask(question: unknown): Promise<Answer>;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The program is handed `settings` as its first argument, and says when it is ready. */
export async function startDrillChild<Answer>(program: URL, settings: object): Promise<DrillChild<Answer>> {
  const child: ChildProcess = fork(
    fileURLToPath(program),
    [JSON.stringify(settings)],
    // What it prints is for whoever looks for a mistake.
    {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning', ...END_WITH_PARENT],
    },
  );
  const endWithUs = () => child.kill('SIGKILL');
  process.on('exit', endWithUs);
  const ended = once(child, 'exit').then(([code]) => {
    process.off('exit', endWithUs);
    return code as number | null;
  });
  const answer = async (): Promise<Answer> => {
    const message = once(child, 'message').then(([value]) => value as Answer);
    const died = ended.then((code) => {
      throw new Error(`${program.pathname} ended with ${String(code)}`);
    });
    return Promise.race([message, died]);
  };
  await answer();
  return {
    pid: child.pid ?? 0,
    ask(question) {
      const answered = answer();
      child.send(question as object);
      return answered;
    },
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** For the child: its settings, and how it answers. */
export function drillChild<Settings>(): Settings {
  return JSON.parse(process.argv[2] ?? '{}') as Settings;
}
