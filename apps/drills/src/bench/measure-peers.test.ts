/**
 * The programs of the peers are valid in their languages, if these are installed, and a missing or broken peer is reported.
 * Takes about 2 s.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { findPeer, measurePeer, PEERS, type Peer } from './measure-peers.ts';

const FOLDER = fileURLToPath(new URL('peers/', import.meta.url));
const READS: Readonly<Record<Peer['name'], readonly [program: string, ...args: string[]]>> = {
  sidekiq: ['ruby', '-c', 'sidekiq_peer.rb'],
  celery: ['python3', '-c', 'import ast; ast.parse(open("celery_peer.py").read())'],
};

for (const peer of PEERS) {
  const [program, ...args] = READS[peer.name];
  const isHere = spawnSync(program, ['--version']).status === 0;
  // Nobody needs these languages here.
  if (!isHere) continue;
  test(`${program} understands the program of ${peer.name}`, () => {
    execFileSync(program, args, { cwd: FOLDER, stdio: 'pipe' });
  });
}

const [sidekiq] = PEERS as readonly [Peer];

test('a peer that is not installed is not found', async () => {
  expect(await findPeer({ ...sidekiq, candidates: ['no-such-program'] })).toBeUndefined();
  // The program is there, its library is not.
  expect(
    await findPeer({ ...sidekiq, candidates: ['node'], check: ['-e', 'process.exit(1)'] }),
  ).toBeUndefined();
});

test('a peer whose worker ends is told of, and not waited for', async () => {
  const ending: Peer = { ...sidekiq, enqueue: ['-e', '0'], work: ['-e', 'process.exit(3)'] };
  await expect(measurePeer(ending, 'node', { name: '', processes: 1, args: [] }, 10)).rejects.toThrow(
    'ended with 3',
  );
});
