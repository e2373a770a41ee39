import type { Stage } from './stage.ts';
import { benchOnServer } from './tenants/on-server.ts';
import { benchOnWorker } from './tenants/on-worker.ts';
import { openSite } from './tenants/site.ts';

/**
 * What a tenant on one API server feels of others who do all that they may: at the server, while it issues and revokes; at
 * the worker, by how late its leases end. `LEASEHOLD_BENCH_CHECKOUT` names another checkout to measure.
 */
export async function benchTenants(stage: Stage, progress: (line: string) => void) {
  await using site = await openSite(stage);
  const server = await benchOnServer(stage, site, progress);
  console.table(server);
  const worker = await benchOnWorker(site, progress);
  console.table(worker);
  return { server, worker };
}
