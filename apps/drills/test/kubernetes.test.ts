/**
 * docker/kubernetes, held against Kubernetes' and KEDA's own schemas, the applications, and itself: references that
 * lead somewhere, probes, time to stop, no privilege.
 * Takes about 3 s.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Namespace, Service } from 'kubernetes-models/v1';
import {
  APPLICATIONS,
  type Application,
  defaultPortOf,
  documentsOf,
  durationMs,
  filesIn,
  type Parsed,
  ROOT,
  variablesOf,
} from './docker-files.ts';

const MODELS: Record<string, new (data: Parsed) => { validate(): void }> = {
  'v1 Namespace': Namespace,
  'v1 ConfigMap': ConfigMap,
  'v1 Service': Service,
  'apps/v1 Deployment': Deployment,
  'policy/v1 PodDisruptionBudget': PodDisruptionBudget,
  'networking.k8s.io/v1 NetworkPolicy': NetworkPolicy,
  'autoscaling/v2 HorizontalPodAutoscaler': HorizontalPodAutoscaler,
  'keda.sh/v1alpha1 ScaledObject': ScaledObject,
};

const FOLDERS = ['base', 'keda', 'hpa'] as const;

const objects: Parsed[] = FOLDERS.flatMap((folder) =>
  filesIn(`kubernetes/${folder}`)
    .filter((path) => !path.endsWith('/kustomization.yaml'))
    .flatMap((path) => documentsOf(path)),
);

function objectOf(kind: string, name: string): Parsed {
  const found = objects.filter((one) => one.kind === kind && one.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} objects ${kind} ${name}`);
  return found[0];
}

const settings: Record<string, string> = objectOf('ConfigMap', 'hookfleet').data;

test.each(objects.map((one) => [`${one.apiVersion} ${one.kind}`, one.metadata.name, one]))(
  '%s %s is what its schema asks for',
  (model, _name, data) => {
    const Model = MODELS[model as string];
    if (Model === undefined) throw new Error(`no schema at hand for ${model}`);
    new Model(data).validate();
  },
);

/** The complaints of the TypeScript compiler about the objects, written as literals of the types of their kinds. */
async function complaintsAbout(data: readonly Parsed[]): Promise<string> {
  const directory = await mkdtemp(join(ROOT, 'apps/drills/node_modules/manifests-'));
  const file = join(directory, 'manifests.ts');
  const lines = data.map((one, i) => {
    const group = one.apiVersion.startsWith('keda.sh') ? '@kubernetes-models/keda' : 'kubernetes-models';
    const type = `import('${group}/${one.apiVersion}').I${one.kind}`;
    return `export const manifest${i}: ${type} = ${JSON.stringify(one)};`;
  });
  try {
    await writeFile(file, lines.join('\n'));
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--ignoreConfig'];
    await promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), [...options, file]);
    return '';
  } catch (error) {
    return (error as { stdout?: string }).stdout || String(error);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('no object has a field that its kind does not know', async () => {
  expect(await complaintsAbout(objects)).toBe('');
}, 60_000);

test('a field of a wrong name, and one of a wrong type, would be noticed', async () => {
  const misspelt = structuredClone(objectOf('Deployment', 'worker'));
  misspelt.spec.template.spec.containers[0].livenesProbe = {};
  expect(await complaintsAbout([misspelt])).toMatch(/'"livenesProbe"' does not exist in type 'IContainer'/);
  expect(() => new ScaledObject({ ...objectOf('ScaledObject', 'worker'), spec: {} }).validate()).toThrow();
}, 60_000);

test.each(FOLDERS)('the kustomization of %s holds every file beside it', (folder) => {
  const [kustomization] = documentsOf(`kubernetes/${folder}/kustomization.yaml`);
  const files = filesIn(`kubernetes/${folder}`).map((path) => path.split('/').at(-1));
  const listed = ['kustomization.yaml', ...(kustomization.resources as string[])];
  expect(listed.filter((name) => name !== '../base').sort()).toEqual(files.sort());
  expect(kustomization.namespace).toBe('hookfleet');
  expect(listed.includes('../base')).toBe(folder !== 'base');
});

describe.each(APPLICATIONS)('%s', (application: Application) => {
  const { spec } = objectOf('Deployment', application);
  const pod = spec.template.spec;
  const [container] = pod.containers;

  test('listens where its probes, its service and Prometheus ask', () => {
    expect(container.ports).toEqual([{ name: 'http', containerPort: defaultPortOf(application) }]);
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    expect(probes.map(({ httpGet }) => httpGet)).toEqual([
      { path: '/healthz', port: 'http' },
      { path: '/healthz', port: 'http' },
      { path: '/readyz', port: 'http' },
    ]);
    if (application === 'worker') return;
    expect(objectOf('Service', application).spec.ports).toEqual([
      { name: 'http', port: defaultPortOf(application), targetPort: 'http' },
    ]);
  });

  test('is told variables that it reads, and no others', () => {
    const known = variablesOf(application);
    const told = [...Object.keys(settings), ...container.env.map(({ name }: Parsed) => name)];
    expect(told.filter((name) => !known.has(name))).toEqual([]);
    const secrets = ['REDIS_URL', 'HOOKFLEET_API_KEYS', 'HOOKFLEET_ENCRYPTION_KEYS'];
    expect(told).toEqual(expect.arrayContaining(secrets.filter((name) => known.has(name))));
    const secret = container.env.filter(({ name }: Parsed) => /URL|KEYS/.test(name));
    for (const { name, valueFrom } of secret)
      expect(valueFrom).toEqual({ secretKeyRef: { name: 'hookfleet', key: name } });
  });

  test('is given more time to stop than it takes, and takes more than an attempt', () => {
    const shutdownMs = durationMs(settings['HOOKFLEET_SHUTDOWN_TIMEOUT'] as string);
    const beforeMs = (container.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1_000;
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(beforeMs + shutdownMs);
    const attempt = objectOf('Deployment', 'worker').spec.template.spec.containers[0].env.find(
      ({ name }: Parsed) => name === 'HOOKFLEET_ATTEMPT_TIMEOUT',
    );
    expect(shutdownMs).toBeGreaterThan(durationMs(attempt.value));
  });

  test('has no privilege, writes nothing, and knows no token', () => {
    expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('asks for what it needs, and may not take all memory', () => {
    expect(container.resources.requests.memory).toBe(container.resources.limits.memory);
    expect(container.resources.requests.cpu).toMatch(/^\d+m$/);
  });

  test('its disruption budget, its spread and its service mean its own pods', () => {
    const { labels } = spec.template.metadata;
    expect(spec.selector.matchLabels).toEqual(labels);
    const budget = objectOf('PodDisruptionBudget', application).spec;
    expect(budget.selector.matchLabels).toEqual(labels);
    expect(pod.topologySpreadConstraints[0].labelSelector.matchLabels).toEqual(labels);
    if (application !== 'worker') expect(objectOf('Service', application).spec.selector).toEqual(labels);
  });

  test('a node that drains can take one, and leaves one where there are two', () => {
    expect(objectOf('PodDisruptionBudget', application).spec.maxUnavailable).toBe(1);
    if (application !== 'worker') expect(spec.replicas).toBeGreaterThan(1);
  });

  test('its image is tagged by the kustomization', () => {
    const [{ images }] = documentsOf('kubernetes/base/kustomization.yaml');
    const image = images.find(({ name }: Parsed) => name === container.image);
    expect(image?.newTag).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

test('nothing goes in or out but by a policy, and workers reach no private address', () => {
  const everything = objectOf('NetworkPolicy', 'nothing-by-default').spec;
  expect(everything).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  const { podSelector, egress } = objectOf('NetworkPolicy', 'destinations').spec;
  expect(podSelector.matchLabels['app.kubernetes.io/name']).toBe('worker');
  const excepted = egress[0].to.flatMap(({ ipBlock }: Parsed) => ipBlock.except);
  for (const range of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7'])
    expect(excepted).toContain(range);
});

test("the number of workers is the scalers' alone, and both ask for the same", () => {
  expect(objectOf('Deployment', 'worker').spec.replicas).toBeUndefined();
  const keda = objectOf('ScaledObject', 'worker').spec;
  const hpa = objectOf('HorizontalPodAutoscaler', 'worker').spec;
  expect(hpa.scaleTargetRef.name).toBe(keda.scaleTargetRef.name);
  expect([hpa.minReplicas, hpa.maxReplicas]).toEqual([keda.minReplicaCount, keda.maxReplicaCount]);
  expect(hpa.behavior).toEqual(keda.advanced.horizontalPodAutoscalerConfig.behavior);
  const targets = hpa.metrics.map(({ external: { target } }: Parsed) => [
    target.type,
    target.value ?? target.averageValue,
  ]);
  expect(targets).toEqual(
    keda.triggers.map(({ metricType, metadata }: Parsed) => [metricType, metadata.threshold]),
  );
});
