/** A fleet of which each process has a proxy of its own between it and a Redis that writes each change to disk first. */
import { startTcpProxy, startTestRedis, type TcpProxy } from '@hookfleet/testkit';
import {
  type FleetMembers,
  type FleetMembersOptions,
  REDIS_PASSWORD,
  startFleetMembers,
  type Way,
} from './fleet-members.ts';

interface ProxiedWay extends Way {
  readonly network: TcpProxy;
}

export interface ChaosFleet extends FleetMembers<ProxiedWay> {
  readonly redis: Awaited<ReturnType<typeof startTestRedis>>;
}

export async function startChaosFleet(
  destinationPort: number,
  options: FleetMembersOptions = {},
): Promise<ChaosFleet> {
  const redis = await startTestRedis({
    appendFsync: 'always',
    extraArguments: ['--user', 'fleet', 'on', `>${REDIS_PASSWORD}`, '~*', '&*', '+@all'],
  });
  try {
    const fleet = await startFleetMembers(
      destinationPort,
      async () => {
        const network = await startTcpProxy({ port: redis.port });
        const redisUrl = `redis://fleet:${REDIS_PASSWORD}@127.0.0.1:${network.port}`;
        return { redisUrl, network, close: () => network.close() };
      },
      options,
    );
    return {
      ...fleet,
      redis,
      async stop() {
        await fleet.stop();
        await redis.stop();
      },
    };
  } catch (error) {
    await redis.stop();
    throw error;
  }
}
