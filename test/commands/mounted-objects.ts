import { loadAllYaml } from '@kubernetes/client-node';
import { z } from 'zod';
import { pageText } from './documented.ts';

const Volume = z.union([
  z.object({ secret: z.object({ secretName: z.string() }) }).transform(({ secret }) => `secret ${secret.secretName}`),
  z.object({ configMap: z.object({ name: z.string() }) }).transform(({ configMap }) => `configmap ${configMap.name}`),
]);

const Deployment = z.object({
  spec: z.object({ template: z.object({ spec: z.object({ volumes: z.array(Volume) }) }) }),
});

/** What the pods of a manifest mount, as kubectl takes it: `secret leasehold-tls`. */
export function mountedObjects(page: string): string[] {
  const deployments = loadAllYaml(pageText(page)).filter(({ kind }) => kind === 'Deployment');
  return deployments.flatMap((object) => Deployment.parse(object).spec.template.spec.volumes);
}
