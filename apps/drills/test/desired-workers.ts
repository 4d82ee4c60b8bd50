/** How many workers Kubernetes would run: the triggers of the ScaledObject, asked of a real Prometheus. */
import type { TestPrometheus } from '@hookfleet/testkit';
import { documentsOf, type Parsed } from './docker-files.ts';

const [scaledObject] = documentsOf('kubernetes/keda/scaled-object.yaml');
// The ScaledObject allows a minute of backlog. Tests allow six seconds, so that they do not take minutes.
const BACKLOG_SCALE = 1 / 10;

/** The formula of kubernetes.io, "Horizontal Pod Autoscaling", algorithm details. `workers`: that run now. */
export async function desiredWorkers(prometheus: TestPrometheus, workers: number): Promise<number> {
  const desired = await Promise.all(
    scaledObject.spec.triggers.map(async ({ name, metricType, metadata }: Parsed) => {
      const [sample] = await prometheus.query(metadata.query);
      const threshold = Number(metadata.threshold) * (name === 'backlog' ? BACKLOG_SCALE : 1);
      const value = sample?.value ?? 0;
      return metricType === 'Value' ? Math.ceil((workers * value) / threshold) : Math.ceil(value / threshold);
    }),
  );
  return Math.max(1, ...desired);
}
