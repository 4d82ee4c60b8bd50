/** The frame of all views: who is signed in, where one is, what just happened. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { currentSession, signOut, whenSignedOut } from './api.ts';
import { CampaignList } from './campaign-list.tsx';
import { CampaignView } from './campaign-view.tsx';
import { FleetView } from './fleet-view.tsx';
import { Notices } from './notices.tsx';
import { useRoute } from './router.ts';
import type { Route } from './routes.ts';
import { SignIn } from './sign-in.tsx';
import type { Session } from './types.ts';

export function App() {
  const [session, setSession] = useState<Shown>('asking');
  useEffect(() => {
    // Of who was signed in, the session has ended; who was not is asked for a key, and not told so.
    whenSignedOut(() =>
      setSession((before) => (before === 'ended' || isSession(before) ? 'ended' : 'nobody')),
    );
    currentSession().then((found) => setSession(found ?? 'nobody'), setSession);
  }, []);

  if (session === 'asking') return null;
  if (session === 'nobody' || session === 'ended')
    return <SignIn hasEnded={session === 'ended'} onSignedIn={setSession} />;
  if (session instanceof Error) {
    return (
      <main class="sign-in">
        <h1>hookfleet</h1>
        <p role="alert">{session.message}</p>
        <button type="button" onClick={() => location.reload()}>
          Try again
        </button>
      </main>
    );
  }
  return <SignedIn session={session} onSignedOut={() => setSession('nobody')} />;
}

type Shown = Session | 'asking' | 'nobody' | 'ended' | Error;

function isSession(shown: Shown): shown is Session {
  return typeof shown === 'object' && !(shown instanceof Error);
}

function SignedIn({ session, onSignedOut }: { session: Session; onSignedOut: () => void }) {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const place = route.view === 'campaign' ? `campaign ${route.campaignId}` : route.view;
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = route.view === 'campaign' ? `${route.campaignId} · hookfleet` : 'hookfleet';
    // A screen reader is told where it is now; at the first view it reads from the top.
    if (!isFirst.current) main.current?.querySelector('h1')?.focus();
    isFirst.current = false;
  }, [place]);

  const mayOperate = session.role === 'operate';
  const link = (views: readonly Route['view'][], href: string, text: string) => (
    <a href={href} aria-current={views.includes(route.view) ? 'page' : undefined}>
      {text}
    </a>
  );
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href="#/">
          hookfleet
        </a>
        <nav aria-label="Main">
          {link(['campaigns', 'campaign'], '#/', 'Campaigns')}
          {link(['fleet'], '#/fleet', 'Fleet')}
        </nav>
        {session.needsKeys && (
          <button type="button" class="quiet" onClick={() => void signOut().finally(onSignedOut)}>
            Sign out{mayOperate ? '' : ' (viewer)'}
          </button>
        )}
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {route.view === 'campaigns' && <CampaignList route={route} />}
        {route.view === 'campaign' && (
          <CampaignView key={route.campaignId} campaignId={route.campaignId} mayOperate={mayOperate} />
        )}
        {route.view === 'fleet' && <FleetView mayOperate={mayOperate} />}
        {route.view === 'unknown' && (
          <>
            <h1 tabIndex={-1}>Nothing is here</h1>
            <p>
              <a href="#/">All campaigns</a>
            </p>
          </>
        )}
      </main>
      <Notices />
    </>
  );
}
