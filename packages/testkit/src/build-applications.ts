/** Jest's global setup: the applications are built before the first test starts one. */
import { APPLICATIONS, buildApplication } from '@hookfleet/build';

// biome-ignore lint/style/noDefaultExport: Jest takes a global setup from there.
export default async function buildApplications(): Promise<void> {
  await Promise.all(APPLICATIONS.map(buildApplication));
}
