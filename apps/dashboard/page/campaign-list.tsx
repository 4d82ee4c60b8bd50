/** All campaigns with their totals: searched, sorted, in pages; the first page is live. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { CampaignState } from './campaign-state.tsx';
import { ApiProblem, call, query } from './api.ts';
import { ago, number, share, time } from './format.ts';
import { Freshness, NotYet } from './freshness.tsx';
import { useLive, useNow } from './live.ts';
import { campaignLink, campaignsLink, parseRoute, type Route } from './routes.ts';
import { Sparkline } from './sparkline.tsx';
import type { CampaignPage, Totals } from './types.ts';
import { EVENT_WORDS, labelOf, MESSAGE_WORDS } from './words.ts';

type ListRoute = Extract<Route, { view: 'campaigns' }>;

const PAGE_SIZE = 50;
const TYPING_PAUSE_MS = 250;

const COLUMNS: readonly { sort?: string; label: string; title?: string | undefined }[] = [
  { sort: 'id', label: 'Campaign' },
  { label: 'State' },
  ...(['accepted', 'delivered', 'failed', 'pending', 'cancelled'] as const).map((name) => ({
    sort: name,
    label: labelOf(MESSAGE_WORDS, name),
    title: MESSAGE_WORDS[name]?.meaning,
  })),
  { sort: 'bounced', label: 'Bounced', title: EVENT_WORDS['webhook.bounced']?.meaning },
  { sort: 'error', label: 'Errors', title: EVENT_WORDS['webhook.error']?.meaning },
  { label: 'Last 24 h', title: 'Responses by the hour' },
  { sort: 'lastEvent', label: 'Last event' },
];

export function CampaignList({ route }: { route: ListRoute }) {
  const live = useLive<CampaignPage>('campaigns', 'topic=campaigns');
  const isFirst = route.q === '' && route.sort === 'lastEvent' && route.page === 1;
  const [found, setFound] = useState<{ key: string; page: CampaignPage | Error }>();
  const search = query({
    q: route.q,
    sort: route.sort,
    limit: PAGE_SIZE,
    offset: (route.page - 1) * PAGE_SIZE,
    spark: '24h',
  });

  // Any change among the latest campaigns is a reason to look again: at most once a second.
  useEffect(() => {
    if (isFirst) return;
    const abort = new AbortController();
    call<CampaignPage>(`v1/campaigns?${search}`, { signal: abort.signal }).then(
      (page) => setFound({ key: search, page }),
      (error: Error) => {
        if (!abort.signal.aborted) setFound({ key: search, page: error });
      },
    );
    return () => abort.abort();
  }, [search, isFirst, live.state]);

  const shown = isFirst ? (live.state ?? undefined) : found?.key === search ? found.page : undefined;
  return (
    <>
      <div class="heading">
        <h1 tabIndex={-1}>Campaigns</h1>
        <Freshness freshness={live.freshness} />
      </div>
      <SearchBox route={route} />
      {shown instanceof Error ? (
        <p role="alert">{shown instanceof ApiProblem ? shown.message : 'The list could not be read.'}</p>
      ) : shown === undefined ? (
        <NotYet freshness={live.freshness} />
      ) : (
        <Results page={shown} route={route} />
      )}
    </>
  );
}

function SearchBox({ route }: { route: ListRoute }) {
  const timer = useRef<number>(undefined);
  return (
    <search class="search">
      <label for="q">Search by id</label>
      <input
        id="q"
        type="search"
        maxLength={128}
        defaultValue={route.q}
        onInput={(event) => {
          const q = event.currentTarget.value.trim();
          clearTimeout(timer.current);
          timer.current = setTimeout(() => {
            // The order may have been changed meanwhile, or the view left.
            const now = parseRoute(location.hash);
            if (now.view === 'campaigns') location.replace(campaignsLink({ ...now, q, page: 1 }));
          }, TYPING_PAUSE_MS);
        }}
      />
    </search>
  );
}

function Results({ page, route }: { page: CampaignPage; route: ListRoute }) {
  const now = useNow();
  if (page.total === 0) {
    return (
      <p class="panel">
        {route.q === ''
          ? 'No campaign yet. The first appears here with its first webhook.'
          : `No campaign's id holds “${route.q}”.`}
      </p>
    );
  }
  const pages = Math.ceil(page.total / PAGE_SIZE);
  return (
    <>
      <div class="panel scroll">
        <table class="cards">
          <thead>
            <tr class="groups">
              <td colSpan={2} />
              <th scope="colgroup" colSpan={5}>
                Messages
              </th>
              <th scope="colgroup" colSpan={3}>
                Responses
              </th>
              <td />
            </tr>
            <tr>
              {COLUMNS.map(({ label, sort, title }) => (
                <th
                  key={label}
                  scope="col"
                  class={label === 'State' ? 'words' : undefined}
                  title={title}
                  aria-sort={sort === route.sort ? (sort === 'id' ? 'ascending' : 'descending') : undefined}
                >
                  {sort === undefined ? (
                    label
                  ) : (
                    <a class="sort" href={campaignsLink({ ...route, sort, page: 1 })}>
                      {label}
                    </a>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {page.campaigns.map((campaign) => (
              <Row key={campaign.campaignId} campaign={campaign} now={now} />
            ))}
          </tbody>
        </table>
      </div>
      <nav class="pages" aria-label="Pages">
        <span class="muted">
          {number(page.total)} {page.total === 1 ? 'campaign' : 'campaigns'}
          {pages > 1 && `, page ${route.page} of ${pages}`}
        </span>
        {route.page > 1 && <a href={campaignsLink({ ...route, page: route.page - 1 })}>Previous</a>}
        {route.page < pages && <a href={campaignsLink({ ...route, page: route.page + 1 })}>Next</a>}
      </nav>
    </>
  );
}

function Row({ campaign, now }: { campaign: CampaignPage['campaigns'][number]; now: number }) {
  const { campaignId, status, messages, spark, lastEventAt } = campaign;
  const event = (name: string) => (campaign as Totals).events[name] ?? 0;
  const rate = messages.accepted === 0 ? null : messages.delivered / messages.accepted;
  return (
    <tr>
      <th scope="row">
        <a href={campaignLink(campaignId)}>{campaignId}</a>
      </th>
      <td data-label="State" class="words">
        {status !== undefined && <CampaignState status={status} isShort />}
      </td>
      <td data-label="Accepted">{number(messages.accepted)}</td>
      <td data-label="Delivered">
        {number(messages.delivered)} <span class="muted">{share(rate)}</span>
      </td>
      <td data-label="Failed" class={messages.failed > 0 ? 'attention' : undefined}>
        {number(messages.failed)}
      </td>
      <td data-label="Pending">{number(messages.pending)}</td>
      <td data-label="Cancelled">{number(messages.cancelled)}</td>
      <td data-label="Bounced responses">{number(event('webhook.bounced'))}</td>
      <td data-label="Error responses">{number(event('webhook.error'))}</td>
      <td data-label="Last 24 h">{spark !== undefined && <Sparkline spark={spark} />}</td>
      <td data-label="Last event">
        {lastEventAt === undefined ? (
          '–'
        ) : (
          <time dateTime={lastEventAt} title={time(lastEventAt, 'UTC')}>
            {ago(lastEventAt, now)}
          </time>
        )}
      </td>
    </tr>
  );
}
