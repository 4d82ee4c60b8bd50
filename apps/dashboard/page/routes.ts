/** Which view is shown: it stands in the address after the #, so that a proxy may serve the page under any path. */

export type Route =
  | { readonly view: 'campaigns'; readonly q: string; readonly sort: string; readonly page: number }
  | { readonly view: 'campaign'; readonly campaignId: string }
  | { readonly view: 'fleet' }
  | { readonly view: 'unknown' };

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?', 2);
  const values = new URLSearchParams(search);
  if (path === '' || path === '/') {
    const page = Number(values.get('page') ?? 1);
    return {
      view: 'campaigns',
      q: values.get('q') ?? '',
      sort: values.get('sort') ?? 'lastEvent',
      page: Number.isInteger(page) && page > 0 ? page : 1,
    };
  }
  if (path === '/fleet') return { view: 'fleet' };
  const [, encoded] = /^\/campaigns\/([^/]+)$/.exec(path) ?? [];
  if (encoded === undefined) return { view: 'unknown' };
  try {
    return { view: 'campaign', campaignId: decodeURIComponent(encoded) };
  } catch {
    return { view: 'unknown' };
  }
}

export const campaignLink = (id: string): string => `#/campaigns/${encodeURIComponent(id)}`;

export function campaignsLink({ q, sort, page }: { q: string; sort: string; page: number }): string {
  const values = new URLSearchParams();
  if (q !== '') values.set('q', q);
  if (sort !== 'lastEvent') values.set('sort', sort);
  if (page > 1) values.set('page', String(page));
  return `#/${values.size > 0 ? `?${values}` : ''}`;
}
