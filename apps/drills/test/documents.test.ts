/** What docker/'s documents point to is there, and what they show of the rules is what the rules say. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { DOCKER, textOf } from './docker-files.ts';

test.each(['README.md', 'prometheus/RUNBOOK.md'])('every file that %s links to is there', (path) => {
  const links = [...textOf(path).matchAll(/\]\(((?!http)[^)#]+)\)/g)].map(([, link]) => link as string);
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((link) => !existsSync(join(DOCKER, dirname(path), link)))).toEqual([]);
});

test.each(['README.md', 'prometheus/RUNBOOK.md'])(
  'every alert that %s names by its anchor has an entry',
  (path) => {
    const entries = [...textOf('prometheus/RUNBOOK.md').matchAll(/^## (\w+)$/gm)].map(([, name]) => name);
    const named = [...textOf(path).matchAll(/\*(Hookfleet\w+)\*/g)].map(([, name]) => name);
    expect(named.filter((name) => !entries.includes(name))).toEqual([]);
  },
);
