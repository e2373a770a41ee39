import { createPrivateKey, type KeyObject, randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../shared/domain/parse-json.ts';

/** Who the agent is to Leasehold. */
export interface Identity {
  /** Ed25519. */
  privateKey: KeyObject;
  /** From Enrol; undefined: not enrolled yet. */
  identityId?: string | undefined;
}

export type EnrolledIdentity = Identity & { identityId: string };

const Stored = z.object({
  privateKey: z.string().transform((pem, context) => {
    try {
      return createPrivateKey(pem);
    } catch {
      // The library's own words may quote the key.
      context.addIssue({ code: 'custom', message: 'is no private key in PEM' });
      return z.NEVER;
    }
  }),
  identityId: z.uuid().optional(),
});

/** The file that keeps an identity: JSON, for its owner's eyes only. */
export class IdentityFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Undefined where there is no file. Throws where it holds something else. */
  async read(): Promise<Identity | undefined> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        return undefined;
      }
      throw error;
    });
    return text === undefined ? undefined : this.#parse(text);
  }

  /** All of it or nothing: a crash leaves the file as it was, or as it shall be. */
  async write({ privateKey, identityId }: Identity): Promise<void> {
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const text = `${JSON.stringify({ privateKey: pem, identityId }, undefined, 2)}\n`;
    const draft = join(dirname(this.path), `.identity-${randomUUID()}`);
    try {
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  #parse(text: string): Identity {
    const parsed = Stored.safeParse(parseJson(text));
    if (!parsed.success) {
      const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
      throw new Error(`${this.path} holds no identity: ${problems.join('; ')}`);
    }
    return parsed.data;
  }
}
