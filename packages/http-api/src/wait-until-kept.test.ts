/** A call that operates is answered when its change is kept. Takes under a second. */
import { expect, test } from '@jest/globals';
import fastify from 'fastify';
import { addProblemReplies } from './problems.ts';
import { waitUntilKept } from './wait-until-kept.ts';

async function setup(kept: () => Promise<void>) {
  const steps: string[] = [];
  const app = fastify();
  addProblemReplies(app, ({ message }) => message.startsWith('NOREPLICAS'));
  waitUntilKept(app, () => {
    steps.push('begin');
    return async () => {
      steps.push('wait');
      await kept();
      steps.push('kept');
    };
  });
  const done = (answer: unknown) => async () => {
    steps.push('done');
    return answer;
  };
  app.get('/v1/things', done({}));
  app.put('/v1/things', done({ put: true }));
  app.post('/v1/webhooks', { config: { needs: 'enqueue' } }, done({}));
  app.post('/v1/faults', async () => {
    throw Object.assign(new Error('no'), { statusCode: 409 });
  });
  app.delete('/v1/things', async (_request, reply) => {
    steps.push('done');
    return reply.code(204).send();
  });
  const call = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string) => {
    const { statusCode, headers, body } = await app.inject({ method, url });
    return { statusCode, type: headers['content-type'], body };
  };
  return { steps, call };
}

test.each<['PUT' | 'DELETE', number]>([
  ['PUT', 200],
  ['DELETE', 204],
])('%s is answered after what it has changed is kept', async (method, statusCode) => {
  const { steps, call } = await setup(() => Promise.resolve());
  expect(await call(method, '/v1/things')).toMatchObject({ statusCode });
  expect(steps).toEqual(['begin', 'done', 'wait', 'kept']);
});

test.each<['PUT' | 'DELETE']>([['PUT'], ['DELETE']])('%s that may be lost ends in 503', async (method) => {
  const { call } = await setup(() => Promise.reject(new Error('NOREPLICAS 0 of 1')));
  const { statusCode, type, body } = await call(method, '/v1/things');
  expect({ statusCode, type }).toEqual({
    statusCode: 503,
    type: expect.stringContaining('application/problem+json'),
  });
  expect(JSON.parse(body)).toMatchObject({ status: 503 });
});

test.each<['GET' | 'POST', string, number]>([
  ['GET', '/v1/things', 200],
  ['POST', '/v1/webhooks', 200],
  ['POST', '/v1/faults', 409],
  ['POST', '/v1/unknown', 404],
])('nothing is waited for by %s %s', async (method, url, statusCode) => {
  const { steps, call } = await setup(() => Promise.reject(new Error('NOREPLICAS 0 of 1')));
  expect(await call(method, url)).toMatchObject({ statusCode });
  expect(steps).not.toContain('wait');
});
