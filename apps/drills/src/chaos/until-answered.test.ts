/** A drill asks again while its fleet or its Redis is away, and reports every other error at once. Takes about 2 s. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { untilProcessAnswers, untilRedisAnswers } from './until-answered.ts';

let server: Server | undefined;

afterEach(async () => {
  server?.close();
  server = undefined;
});

/** Answers each request with the next of these: a status, or a connection that is cut. */
async function startServer(answers: (number | 'cut')[]): Promise<string> {
  server = createServer((request, response) => {
    const answer = answers.shift();
    if (answer === undefined || answer === 'cut') request.socket.destroy();
    else response.writeHead(answer, { connection: 'close' }).end('text');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a call is repeated while the process is away or answers 5xx', async () => {
  const answers: (number | 'cut')[] = ['cut', 503, 500, 200];
  const url = await startServer(answers);
  expect(await untilProcessAnswers(() => url)).toEqual({ status: 200, text: 'text' });
  expect(answers).toEqual([]);
});

test('any other answer is returned as it is', async () => {
  const url = await startServer([404]);
  expect(await untilProcessAnswers(() => url)).toEqual({ status: 404, text: 'text' });
});

test('a question to Redis is repeated when the connection was cut', async () => {
  const errors = [
    'Connection is closed.',
    'Command aborted due to connection close',
    'LOADING Redis is loading',
  ];
  const answer = await untilRedisAnswers(async () => {
    const message = errors.shift();
    if (message !== undefined) throw new Error(message);
    return 'answer';
  });
  expect(answer).toBe('answer');
});

test('a question that Redis refuses is not repeated', async () => {
  let asked = 0;
  const question = untilRedisAnswers(async () => {
    asked += 1;
    throw new Error('WRONGTYPE Operation against a key holding the wrong kind of value');
  });
  await expect(question).rejects.toThrow('WRONGTYPE');
  expect(asked).toBe(1);
});
