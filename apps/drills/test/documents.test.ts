/** What docker/'s documents show of the alerts is in the runbook. Takes under a second. */
import { expect, test } from '@jest/globals';
import { textOf } from './docker-files.ts';

test.each(['README.md', 'prometheus/RUNBOOK.md'])(
  'every alert that %s names by its anchor has an entry',
  (path) => {
    const entries = [...textOf('prometheus/RUNBOOK.md').matchAll(/^## (\w+)$/gm)].map(([, name]) => name);
    const named = [...textOf(path).matchAll(/\*(Hookfleet\w+)\*/g)].map(([, name]) => name);
    expect(named.filter((name) => !entries.includes(name))).toEqual([]);
  },
);
