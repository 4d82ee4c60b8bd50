/** Real Redis for a test: its own data, gone afterwards. */
import { type EmbeddedRedis, startRedis } from '@hookfleet/embedded-redis';
import { makeTemporaryDirectory } from './temporary-directory.ts';

export async function startTestRedis(
  options: { appendFsync?: 'always' | 'no'; extraArguments?: string[] } = {},
): Promise<EmbeddedRedis> {
  const directory = await makeTemporaryDirectory('redis');
  const redis = await startRedis({ directory: directory.path, appendFsync: 'no', ...options });
  return {
    ...redis,
    async stop() {
      await redis.stop();
      await directory.remove();
    },
  };
}
