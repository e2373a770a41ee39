import { MINTED } from '../fakes/memory-cluster.ts';

/** Begins each token for a cluster. */
export const CLUSTER_TOKEN = 'cluster-token';

/** Whether something as it would be written down shows a token. */
export function mentionsSecret(value: unknown): boolean {
  const text = typeof value === 'string' ? value : JSON.stringify(value, withErrors);
  return text !== undefined && (text.includes(MINTED) || text.includes(CLUSTER_TOKEN));
}

/** Errors as a log has them: with message, stack and cause. */
function withErrors(_key: string, value: unknown): unknown {
  return value instanceof Error ? { ...value, message: value.message, cause: value.cause } : value;
}
