import { constants, createPrivateKey } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { parseChain } from '../../shared/domain/certificates.ts';
import { parsedAt } from '../../shared/domain/malformed.ts';

/** AEAD with forward secrecy: all of TLS 1.3, and of 1.2 what RFC 9325 (4.2) recommends. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];

/** A server's certificate chain, its own first, and the private key of that; PEM both. */
export interface KeyPair {
  chain: string;
  key: Buffer;
}

/** How a server speaks TLS. Throws an Error where OpenSSL refuses something, as a key that is too short. */
export function tlsContext({ chain, key }: KeyPair, clientCas?: string): SecureContextOptions {
  const context: SecureContextOptions = {
    cert: chain,
    key,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS.join(':'),
    honorCipherOrder: true,
    // Without tickets each connection is verified in full, by the CAs of that moment.
    secureOptions: constants.SSL_OP_NO_TICKET,
    // A server of Node leads clients up to a root: it has no partial chains, as its clients have them.
    ...(clientCas === undefined ? {} : { ca: clientCas }),
  };
  createSecureContext(context);
  return context;
}

/** Throws an Error where the key is of another certificate, or no server can use them. */
export function parseKeyPair(chain: Buffer, key: Buffer): KeyPair {
  const { list, pem } = parsedAt('the certificate chain', () => parseChain(String(chain)));
  if (!list[0].checkPrivateKey(createPrivateKey(key))) {
    throw new Error('the private key does not match the certificate');
  }
  tlsContext({ chain: pem, key });
  return { chain: pem, key };
}
