import { createConfig } from '../../src/shared/configs/create-config.ts';
import { deleteConfig } from '../../src/shared/configs/delete-config.ts';
import { updateConfig } from '../../src/shared/configs/update-config.ts';
import { runBatch, startBatch } from '../../src/shared/leases/batch.ts';
import { expire } from '../../src/shared/leases/expire.ts';
import { issueLease } from '../../src/shared/leases/issue.ts';
import { ReadBack } from '../../src/shared/leases/read-back.ts';
import { renewLease } from '../../src/shared/leases/renew.ts';
import { revoke } from '../../src/shared/leases/revoke.ts';
import { sweep } from '../../src/shared/leases/sweep.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';

/** What is tested. A planted bug stands in for one of them. */
export const USE_CASES = {
  createConfig,
  updateConfig,
  deleteConfig,
  issueLease,
  renewLease,
  revoke,
  startBatch,
  runBatch,
  expire,
  sweep,
  readBack: (ports: Ports) => new ReadBack(ports).run(),
};

export type UseCases = typeof USE_CASES;

/** A bug: other use cases, or something that stands between all of them and their ports. */
export interface Planted {
  useCases?: Partial<UseCases>;
  around?: (ports: Ports) => Ports;
}
