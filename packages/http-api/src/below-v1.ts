/** Whether a request is a call of the API, by the route that it matched: to the router, /%761 is /v1. */
import type { FastifyRequest } from 'fastify';

export function isBelowV1({ routeOptions, url }: Pick<FastifyRequest, 'routeOptions' | 'url'>): boolean {
  return (routeOptions.url ?? decoded(url)).startsWith('/v1');
}

/** Of no route: as the router would have read it. */
function decoded(url: string): string {
  try {
    return decodeURI(url);
  } catch {
    return '/v1';
  }
}
