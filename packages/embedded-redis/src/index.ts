/** A Redis of our own, where none is given. */
export {
  type LocateOptions,
  locateRedis,
  type RedisServer,
  RedisServerMissingError,
} from './locate-redis.ts';
export { type EmbeddedRedis, freePort, type StartRedisOptions, startRedis } from './start-redis.ts';
export { findOnPath, type UnpackedProgram, type UnpackOptions, unpackDebian } from './unpack-debian.ts';
