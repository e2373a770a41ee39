import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { z } from 'zod';
import { apiKeyHash, makeApiKey } from '../../shared/domain/api-key.ts';
import { DNS_LABEL } from '../../shared/domain/kubernetes-names.ts';
import type { Command } from '../command.ts';

const Key = z.object({
  name: z.string().regex(DNS_LABEL, 'must be a DNS label'),
  groups: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((name) => name !== '')),
  expires: z.iso.datetime({ offset: true }).optional(),
});

/** `api-key create`: prints a new key, and to stderr what the callers file needs of it, so that each can go to a file. */
export const apiKeyCreate: Command = {
  usage: 'api-key create <name> [--groups a,b] [--expires 2027-01-01T00:00:00Z]',
  async run(args, print) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { groups: { type: 'string' }, expires: { type: 'string' } },
      allowPositionals: true,
    });
    const [named, ...more] = positionals;
    if (named === undefined || more.length > 0) {
      return 'usage';
    }
    const parsed = Key.safeParse({ ...values, name: named });
    if (!parsed.success) {
      throw new Error(z.prettifyError(parsed.error));
    }
    const { name, groups, expires } = parsed.data;
    const key = makeApiKey(name);
    print(key.reveal());
    const entry = { name, sha256: apiKeyHash(key).toString('hex'), groups, ...(expires && { expires }) };
    process.stderr.write(
      `# This key is shown once. For the callers file (LEASEHOLD_CALLERS), which keeps only its hash:\n` +
        stringify({ apiKeys: [entry] }),
    );
    return 'done';
  },
};
