/** Signing in with an API key. It is sent once, and kept nowhere in the page. */
import { useState } from 'preact/hooks';
import { ApiProblem, signIn } from './api.ts';
import type { Session } from './types.ts';

export interface SignInProps {
  /** Somebody was signed in, and is not any more. */
  readonly hasEnded: boolean;
  readonly onSignedIn: (session: Session) => void;
}

export function SignIn({ hasEnded, onSignedIn }: SignInProps) {
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const key = String(new FormData(form).get('key') ?? '').trim();
    setBusy(true);
    try {
      onSignedIn(await signIn(key));
    } catch (error) {
      const isWrong = error instanceof ApiProblem && error.status === 401;
      setProblem(isWrong ? 'This is none of the API keys.' : (error as Error).message);
      setBusy(false);
    }
  }

  return (
    <main class="sign-in">
      <h1>hookfleet</h1>
      <form class="panel" onSubmit={(event) => void submit(event)}>
        {hasEnded && problem === undefined && (
          <p role="alert">
            Your session has ended, or its key is no longer accepted. Sign in again to go on.
          </p>
        )}
        <label for="key">API key</label>
        <input
          id="key"
          name="key"
          type="password"
          autocomplete="current-password"
          required
          aria-describedby="key-help"
        />
        <p id="key-help" class="muted">
          One of HOOKFLEET_API_KEYS. A key that begins with read: there, entered without that, may look and
          change nothing.
        </p>
        {problem !== undefined && <p role="alert">{problem}</p>}
        <button type="submit" class="primary" disabled={busy}>
          Sign in
        </button>
      </form>
    </main>
  );
}
