import type { ClusterCall } from '../domain/cluster-error.ts';

/** The path of a call, as the API server's REST scheme has it (kubernetes.io/docs/reference/using-api/api-concepts). */
export function pathOf(call: ClusterCall): string {
  const group = call.apiGroup === '' ? ['api', 'v1'] : ['apis', call.apiGroup, 'v1'];
  const place = call.namespace === undefined ? [] : ['namespaces', call.namespace];
  const object = [call.resource, call.name, call.subresource].filter((segment) => segment !== undefined);
  return `/${[...group, ...place, ...object].map(encodeURIComponent).join('/')}`;
}
