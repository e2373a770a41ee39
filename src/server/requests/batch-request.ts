import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import type { BatchRevokeLeasesRequest } from '../../gen/leasehold/v1/lease_service.ts';
import type { Batch, BatchTarget } from '../../shared/domain/batch.ts';
import { InvalidArgument } from '../../shared/domain/errors.ts';
import { dnsLabel, emptyAsUndefined, kubernetesLabels, principalText } from './fields.ts';
import { parse } from './parse.ts';

/** The oneof laid flat, so that the paths of violations are those of the proto. */
const flatRequest = z.object({
  config: dnsLabel.transform((config) => ({ kind: 'config' as const, config })).optional(),
  principal: principalText.transform((principal) => ({ kind: 'principal' as const, principal })).optional(),
  labels: z
    .object({
      matchLabels: kubernetesLabels.refine((map) => Object.keys(map).length > 0, 'must name at least one label'),
    })
    .transform(({ matchLabels }) => ({ kind: 'labels' as const, labels: matchLabels }))
    .optional(),
  all: z
    .literal(true, 'must be true')
    .transform(() => ({ kind: 'all' as const }))
    .optional(),
  requestId: emptyAsUndefined.pipe(z.guid('must be a UUID').toLowerCase().optional()),
});

/** The batch that is asked for. Throws InvalidArgument. */
export function parseBatchRequest({
  target,
  requestId,
  force,
}: BatchRevokeLeasesRequest): Pick<Batch, 'id' | 'target'> & { force: boolean } {
  const flat = parse(flatRequest, { ...(target ? { [target.$case]: target.value } : {}), requestId });
  const wanted: BatchTarget | undefined = flat.config ?? flat.principal ?? flat.labels ?? flat.all;
  if (!wanted) {
    throw new InvalidArgument([{ field: 'target', description: 'must be config, principal, labels or all' }]);
  }
  return { id: flat.requestId ?? uuidv7(), target: wanted, force };
}
