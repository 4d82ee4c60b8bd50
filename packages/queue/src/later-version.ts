/**
 * What a process of a later version wrote, and this one does not know. While a fleet is upgraded, or after a step back,
 * both are at work: such an entry is left as it is, for whoever knows it, and the refusal names both versions.
 */
export class LaterVersionError extends Error {
  override readonly name = 'LaterVersionError';
}

/** `known`: the latest version that this process reads. Data without a version is of none. */
export function isOfLaterVersion(data: unknown, known: number): boolean {
  const version = versionOf(data);
  return Number.isInteger(version) && Number(version) > known;
}

/** Throws LaterVersionError. `what`: begins the message. */
export function refuseLaterVersion(what: string, data: unknown, known: number): void {
  if (isOfLaterVersion(data, known))
    throw new LaterVersionError(
      `${what} of version ${versionOf(data)}, of which this process knows ${known}: it waits for one of a later version`,
    );
}

function versionOf(data: unknown): unknown {
  return (data as { version?: unknown } | null | undefined)?.version;
}
