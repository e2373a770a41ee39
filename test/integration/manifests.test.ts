import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { afterAll, expect, inject, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

// The API server takes each object of the manifests, and keeps each of its fields: it drops those that it does not know,
// as the official client does before it sends them.

interface Manifest {
  kind: string;
  metadata: { name: string };
}

const { url, caPem, adminToken } = inject('controlPlane');
const dispatcher = new Agent({ connect: { ca: caPem } });
afterAll(() => dispatcher.close());

const NAMESPACE = '/api/v1/namespaces/leasehold';

const COLLECTIONS: Record<string, string> = {
  Namespace: '/api/v1/namespaces',
  ServiceAccount: `${NAMESPACE}/serviceaccounts`,
  Service: `${NAMESPACE}/services`,
  Deployment: '/apis/apps/v1/namespaces/leasehold/deployments',
  NetworkPolicy: '/apis/networking.k8s.io/v1/namespaces/leasehold/networkpolicies',
};

/** What `kubectl apply --server-side` does. */
async function apply(manifest: Manifest, query = ''): Promise<unknown> {
  const target = `${COLLECTIONS[manifest.kind]}/${manifest.metadata.name}?fieldManager=leasehold-test${query}`;
  const { body } = await request(`${url}${target}`, {
    dispatcher,
    method: 'PATCH',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify(manifest),
  });
  return body.json();
}

test.each(['kubernetes/leasehold.yaml', 'gateway/agent.yaml'])('%s', async (path) => {
  const text = readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8');
  // As kubectl reads it, where 0440 is octal.
  const documents = parseAllDocuments(text, { version: '1.1' });
  const [namespace, ...others] = documents.map((document): Manifest => document.toJS());
  // The others can only be tried in one that is there.
  expect(await apply(namespace ?? expect.fail())).toMatchObject({ kind: 'Namespace' });
  for (const manifest of others) {
    expect(await apply(manifest, '&dryRun=All')).toMatchObject(manifest);
  }
  expect(others.length).toBeGreaterThan(2);
});
