/** The dashboard at /, and what it is made of at /assets. Needs no key: there is nothing in it but code. */
import { PAGE_CONTENT_SECURITY_POLICY, ProblemError, unavailable } from '@hookfleet/http-api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DashboardFile, LoadDashboard } from '../dashboard-files.ts';

const hidden = { schema: { hide: true } as object };

/** `load` may reject: the page is then told to be missing, and all else works. */
export function addDashboardRoutes(app: FastifyInstance, load: LoadDashboard): void {
  async function fileNamed(name: string): Promise<DashboardFile> {
    const found = await load().catch(() => undefined);
    if (found === undefined)
      throw unavailable('The dashboard could not be built: the log tells why. The API is not affected.');
    const file = found.get(name);
    if (file === undefined) throw new ProblemError(404, 'There is no such file.');
    return file;
  }

  app.get('/', hidden, async (request, reply) => {
    reply.headers({
      'cache-control': 'no-cache',
      'content-security-policy': PAGE_CONTENT_SECURITY_POLICY,
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
    return send(request, reply, await fileNamed('index.html'));
  });

  app.get<{ Params: { name: string } }>('/assets/:name', hidden, async (request, reply) => {
    const { name } = request.params;
    const file = await fileNamed(name);
    // Names hold a digest of the contents; the icon's doesn't.
    reply.header(
      'cache-control',
      /-\w{8}\.\w+$/.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
    );
    return send(request, reply, file);
  });
}

function send(request: FastifyRequest, reply: FastifyReply, file: DashboardFile): FastifyReply {
  const accepted = String(request.headers['accept-encoding'] ?? '');
  reply.headers({ 'content-type': file.contentType, vary: 'accept-encoding' });
  if (/\bbr\b/.test(accepted)) return reply.header('content-encoding', 'br').send(file.br);
  if (/\bgzip\b/.test(accepted)) return reply.header('content-encoding', 'gzip').send(file.gz);
  return reply.send(file.plain);
}
