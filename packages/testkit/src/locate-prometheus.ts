/** A real Prometheus, and promtool beside it: on the path, else out of Debian's package. No service is started. */
import { dirname, join } from 'node:path';
import { findOnPath, unpackDebian } from '@hookfleet/embedded-redis';

export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

export async function locatePrometheus(): Promise<PrometheusPrograms> {
  const [prometheus, promtool] = await Promise.all(
    ['prometheus', 'promtool'].map((name) => findOnPath([name])),
  );
  if (prometheus !== undefined && promtool !== undefined) return { prometheus, promtool };
  const { path } = await unpackDebian({
    name: 'prometheus',
    packages: ['prometheus'],
    program: 'usr/bin/prometheus',
  });
  return { prometheus: path, promtool: join(dirname(path), 'promtool') };
}
