import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface ApiserverCredentials {
  adminToken: string;
  /** Signs service account tokens. */
  signingKeyFile: string;
  /** Verifies service account tokens. */
  publicKeyFile: string;
  /** Names the admin by a static token. */
  tokenAuthFile: string;
}

/** Makes the keys and the admin's token that one kube-apiserver is started with. */
export async function writeApiserverCredentials(folder: string): Promise<ApiserverCredentials> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const adminToken = randomBytes(32).toString('base64url');
  const credentials = {
    adminToken,
    signingKeyFile: join(folder, 'service-account.key'),
    publicKeyFile: join(folder, 'service-account.pub'),
    tokenAuthFile: join(folder, 'tokens.csv'),
  };
  await writeSecret(credentials.signingKeyFile, privateKey);
  await writeSecret(credentials.publicKeyFile, publicKey);
  await writeSecret(credentials.tokenAuthFile, `${adminToken},admin,admin,"system:masters"\n`);
  return credentials;
}

async function writeSecret(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
}
