import type { ClusterUse } from '../../src/shared/ports/cluster.ts';

/** For tests in which it does not matter what a cluster is called for. */
export const ANY_USE: ClusterUse = { purpose: 'issue', principal: 'tester' };
