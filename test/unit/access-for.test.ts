import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { accessFor } from '../../src/shared/configs/access-for.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { sampleConfig } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

test('a stored token does not go by a later gateway of the same name', async () => {
  const ports = memoryPorts();
  const first = { name: 'edge', uid: randomUUID() };
  const stored = { ...sampleConfig('blue').access, gateway: first };
  const draft = { ...stored, gateway: first.name };
  await ports.gateways.create({ ...first, createTime: 0 });
  expect(await accessFor(ports, draft, stored.configUid, stored)).toBe(stored);

  const second = { name: 'edge', uid: randomUUID() };
  await ports.gateways.delete(first);
  await ports.gateways.create({ ...second, createTime: 0 });
  await expect(accessFor(ports, draft, stored.configUid, stored)).rejects.toMatchObject({
    violations: [{ field: 'config.direct.token' }],
  });
  const sentAnew = { ...draft, token: new Secret(stored.token.reveal()) };
  expect(await accessFor(ports, sentAnew, stored.configUid, stored)).toMatchObject({ gateway: second });
});
