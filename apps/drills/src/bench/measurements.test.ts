/** The words of a command choose the measurements to run; a profile runs only on request. Takes under a second. */
import { expect, test } from '@jest/globals';
import { chosenBy, MEASUREMENTS } from './measurements.ts';

const wordsOf = (...wishes: string[][]) => chosenBy(wishes).map(({ words }) => words.join(','));

test('words choose the measurements that have all of them, several wishes those of each', () => {
  expect(wordsOf(['deliver', 'got', 'bulk'])).toEqual(['deliver,got,bulk,one', 'deliver,got,bulk,two']);
  expect(wordsOf(['count'], ['latency', 'got'])).toEqual(['count', 'latency,got']);
  expect(wordsOf(['distant'])).toEqual(['distant,got', 'distant,undici']);
  expect(wordsOf(['deliver', 'count'])).toEqual([]);
});

test('a profile slows down what it looks at: it is made where it is asked for alone', () => {
  expect(wordsOf(['profile'])).toEqual(['profile,bulk', 'profile,single']);
  expect(wordsOf(['bulk']).filter((words) => words.startsWith('profile'))).toEqual([]);
  expect(wordsOf()).toEqual(
    MEASUREMENTS.filter(({ onDemand }) => onDemand !== true).map(({ words }) => words.join(',')),
  );
});
