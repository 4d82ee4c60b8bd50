/**
 * docker/compose.yaml, held against the applications: variables, ports, keys, and the order of time-outs.
 * Takes under a second.
 */
import { describe, expect, test } from '@jest/globals';
import {
  APPLICATIONS,
  defaultPortOf,
  documentsOf,
  durationMs,
  isThere,
  type Parsed,
  textOf,
  variablesOf,
} from './docker-files.ts';

const [compose] = documentsOf('compose.yaml');
const services: Record<string, Parsed> = compose.services;

/** What compose puts in for `${NAME:?message}` and `${NAME:-default}`; throws as it does. */
function interpolate(text: string, environment: Record<string, string>): string {
  return text.replaceAll(/\$\{(\w+)(?::([?-])([^}]*))?\}/g, (_, name: string, kind?: string, rest = '') => {
    const value = environment[name] ?? '';
    if (value !== '') return value;
    if (kind === '?') throw new Error(`${name}: ${rest}`);
    return kind === '-' ? rest : '';
  });
}

const KEYS = {
  HOOKFLEET_API_KEYS: 'k'.repeat(16),
  HOOKFLEET_ENCRYPTION_KEYS: Buffer.alloc(32).toString('base64'),
  GRAFANA_ADMIN_PASSWORD: 'secret',
};

test('it has the services of the picture, and what watches them', () => {
  expect(Object.keys(services).sort()).toEqual([...APPLICATIONS, 'redis', 'prometheus', 'grafana'].sort());
});

test('nothing starts without its keys, and the message names the variable', () => {
  expect(() => interpolate(textOf('compose.yaml'), KEYS)).not.toThrow();
  for (const name of Object.keys(KEYS)) {
    const { [name as keyof typeof KEYS]: _left, ...others } = KEYS;
    expect(() => interpolate(textOf('compose.yaml'), others)).toThrow(new RegExp(`^${name}: set it`));
  }
});

describe.each(APPLICATIONS)('%s', (application) => {
  const service = services[application];

  test('is told variables that it reads, and no others', () => {
    const known = variablesOf(application);
    expect(known.size).toBeGreaterThan(8);
    expect(Object.keys(service.environment).filter((name) => !known.has(name))).toEqual([]);
  });

  test('is built from its target of the Dockerfile', () => {
    expect(service.build).toEqual({ context: '..', dockerfile: 'docker/Dockerfile', target: application });
  });

  test('runs as nobody in particular, on a file system that it cannot write', () => {
    expect(service).toMatchObject({
      user: '1000:1000',
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  test('is given more time to stop than it takes, and takes more than an attempt', () => {
    const shutdownMs = durationMs(service.environment.HOOKFLEET_SHUTDOWN_TIMEOUT);
    expect(durationMs(service.stop_grace_period)).toBeGreaterThan(shutdownMs);
    const attemptMs = durationMs(services['worker'].environment.HOOKFLEET_ATTEMPT_TIMEOUT);
    expect(shutdownMs).toBeGreaterThan(attemptMs);
  });

  test('waits for Redis, and reaches it', () => {
    expect(service.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
    expect(service.environment.REDIS_URL).toBe('redis://redis:6379');
    expect(service.networks).toContain('redis');
    expect(services['redis'].networks).toEqual(['redis']);
  });
});

test('workers scale: no name and no port of the host is theirs', () => {
  expect(services['worker'].ports).toBeUndefined();
  expect(services['worker'].container_name).toBeUndefined();
});

test('every published port is the one that is listened on, and on loopback unless somebody says otherwise', () => {
  const ports = { producer: 8080, aggregator: 8081, prometheus: 9090, grafana: 3000 };
  expect([defaultPortOf('producer'), defaultPortOf('aggregator')]).toEqual([
    ports.producer,
    ports.aggregator,
  ]);
  for (const [name, port] of Object.entries(ports)) {
    const published = (services[name].ports as string[]).map((text) => interpolate(text, {}));
    expect(published).toEqual([`127.0.0.1:${port}:${port}`]);
  }
  expect(services['redis'].ports).toBeUndefined();
});

test('every application that reads encryption keys is given them', () => {
  const readers = APPLICATIONS.filter((name) => variablesOf(name).has('HOOKFLEET_ENCRYPTION_KEYS'));
  expect(readers.length).toBeGreaterThan(0);
  for (const name of readers) expect(services[name].environment).toHaveProperty('HOOKFLEET_ENCRYPTION_KEYS');
});

test('images of others are pinned to an exact version', () => {
  for (const name of ['redis', 'prometheus', 'grafana'])
    expect(services[name].image).toMatch(/:v?\d+\.\d+\.\d+(-[a-z]+)?$/);
});

test('every file, network and volume that it names is there', () => {
  for (const service of Object.values(services)) {
    for (const network of service.networks) expect(Object.keys(compose.networks)).toContain(network);
    for (const mount of (service.volumes ?? []) as string[]) {
      const [source = ''] = mount.split(':');
      if (!source.startsWith('./')) expect(Object.keys(compose.volumes)).toContain(source);
      else expect([source, isThere(source), mount.endsWith(':ro')]).toEqual([source, true, true]);
    }
  }
});

test('Prometheus scrapes each application by its name in the network, at the port that it listens on', () => {
  const [{ scrape_configs: jobs }] = documentsOf('prometheus/prometheus.yaml');
  const found = (jobs as Parsed[]).map(({ job_name, dns_sd_configs: [dns] }) => [
    job_name,
    dns.names,
    dns.port,
  ]);
  expect(found.sort()).toEqual(
    APPLICATIONS.map((name) => [`hookfleet-${name}`, [name], defaultPortOf(name)]).sort(),
  );
});

test('Grafana finds Prometheus, and the dashboard where it is mounted', () => {
  const [{ datasources }] = documentsOf('grafana/provisioning/datasources/prometheus.yaml');
  expect(datasources[0].url).toBe('http://prometheus:9090');
  const [{ providers }] = documentsOf('grafana/provisioning/dashboards/hookfleet.yaml');
  expect(services['grafana'].volumes).toContain(`./grafana/dashboards:${providers[0].options.path}:ro`);
});
