import type { Quotas } from '../../src/shared/domain/quotas.ts';

/** More than any random life reaches. */
export const UNLIMITED_QUOTAS: Quotas = {
  configsPerPrincipal: Infinity,
  gatewaysPerPrincipal: Infinity,
  trialsPerPrincipal: Infinity,
  enrollmentTokensPerPrincipal: Infinity,
  identitiesPerGateway: Infinity,
  streamsPerGateway: Infinity,
  batchesPerPrincipal: Infinity,
  endedBatchesPerPrincipal: Infinity,
  reportsPerPrincipal: Infinity,
  deletionsPerConfig: Infinity,
};
