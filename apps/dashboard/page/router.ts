/** The view that the address names, as it changes. */
import { useEffect, useState } from 'preact/hooks';
import { parseRoute, type Route } from './routes.ts';

export function useRoute(): Route {
  const [hash, setHash] = useState(() => (isRoute(location.hash) ? location.hash : ''));
  useEffect(() => {
    const onChange = () => setHash((before) => (isRoute(location.hash) ? location.hash : before));
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return parseRoute(hash);
}

/** A hash of another kind is a place on the page, such as that of the skip link. */
function isRoute(hash: string): boolean {
  return hash === '' || hash === '#' || hash.startsWith('#/');
}
