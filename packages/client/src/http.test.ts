/** Over HTTP the client takes no URL with a password, and shows none. Takes under a second. */
import { expect, test } from '@jest/globals';
import { connectHttp } from './http.ts';

test.each([
  'http://user:planted-5ecret@127.0.0.1:1',
  'http://planted-5ecret@127.0.0.1:1',
  'redis://:planted-5ecret@127.0.0.1:1',
  'http://:planted/5ecret@127.0.0.1',
  'user:planted-5ecret@127.0.0.1',
])('%s is refused at once, in words without the password', (url) => {
  expect(() => connectHttp({ url })).toThrow(/^url must (?!.*(?:planted|5ecret))/);
});
