import { afterAll, expect, test } from 'vitest';
import { Secret } from '../../src/shared/domain/secret.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import { inSpan } from '../../src/shared/telemetry/span.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { startAnsweringServer } from '../support/answering-server.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { testEgress } from '../support/egress.ts';
import { keepLog } from '../support/keep-log.ts';
import { PATIENT_LIMITS } from '../support/patience.ts';
import { recordSpans } from '../support/record-spans.ts';

const spans = recordSpans();
afterAll(() => spans.stop());

test('a call that waited for its turn is part of the trace that asked for it', async () => {
  const server = await startAnsweringServer((_request, response) => response.end('{}'));
  const limits = { connections: 1, ...PATIENT_LIMITS };
  const clusters = new KubernetesClusters(limits, noGateways, testEgress, keepLog().log);
  const tls = { caPem: server.caPem, insecureSkipVerify: false, serverName: undefined };
  const cluster = clusters.at(
    {
      kind: 'direct',
      renewToken: false,
      gateway: undefined,
      id: 'access',
      configUid: 'config',
      url: server.url,
      tls,
      token: new Secret('token'),
    },
    ANY_USE,
  );

  const askers = ['first', 'second', 'third'];
  await Promise.all(
    askers.map((name) => inSpan(name, {}, () => cluster.readServiceAccount({ namespace: name, name: 'reader' }))),
  );
  await clusters.close();
  server.stop();

  const finished = spans.finished();
  const askerOf = (namespace: string) => {
    const call = finished.find(({ attributes }) => attributes['k8s.namespace.name'] === namespace);
    return finished.find((span) => span.spanContext().spanId === call?.parentSpanContext?.spanId)?.name;
  };
  expect(askers.map(askerOf)).toEqual(askers);
});
