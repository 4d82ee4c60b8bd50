/** Starts a server. */

/** A server before it listens: fastify's, or the one of ops-server.ts. */
export interface Listener {
  /** Resolves to its URL. */
  listen(options: { host: string; port: number }): Promise<string>;
}

/** Rejects with a message that names the variable to change. */
export async function listen(
  server: Listener,
  { host, port }: { host: string; port: number },
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new Error(`PORT: ${port} is in use on ${host}; choose another`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new Error(`HOST: ${host} is not an address of this machine`);
    if (code === 'EACCES') throw new Error(`PORT: this user may not listen on ${port}`);
    throw error;
  }
}
