import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { dnsLabel, emptyAsUndefined, kubernetesLabels } from './fields.ts';

const target = z.discriminatedUnion(
  '$case',
  [
    z.object({ $case: z.literal('config'), value: dnsLabel }),
    z.object({ $case: z.literal('principal'), value: z.string().min(1, 'must not be empty').max(1024) }),
    z.object({
      $case: z.literal('labels'),
      value: z.object({
        matchLabels: kubernetesLabels.refine((map) => Object.keys(map).length > 0, 'must name at least one label'),
      }),
    }),
    z.object({ $case: z.literal('all'), value: z.literal(true, 'must be true') }),
  ],
  'must be config, principal, labels or all',
);

/** BatchRevokeLeasesRequest to the id and the target of a batch. */
export const batchRequest = z
  .object({ target, requestId: emptyAsUndefined.pipe(z.guid('must be a UUID').toLowerCase().optional()) })
  .transform(({ target, requestId }) => ({ id: requestId ?? uuidv7(), target: targetOf(target) }));

function targetOf(wire: z.infer<typeof target>) {
  switch (wire.$case) {
    case 'config':
      return { kind: 'config', config: wire.value } as const;
    case 'principal':
      return { kind: 'principal', principal: wire.value } as const;
    case 'labels':
      return { kind: 'labels', labels: wire.value.matchLabels } as const;
    case 'all':
      return { kind: 'all' } as const;
  }
}
