import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

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
  chain: Buffer;
  key: Buffer;
}

/** How a server speaks TLS. Throws an Error where OpenSSL refuses something, as a key that is too short. */
export function tlsContext({ chain, key }: KeyPair, clientCas?: Buffer): SecureContextOptions {
  const context: SecureContextOptions = {
    cert: chain,
    key,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS.join(':'),
    honorCipherOrder: true,
    // Without tickets each connection is verified in full, by the CAs of that moment.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(clientCas ? { ca: clientCas } : {}),
  };
  createSecureContext(context);
  return context;
}

/** Throws an Error where the key is of another certificate, or no server can use them. */
export function parseKeyPair(chain: Buffer, key: Buffer): KeyPair {
  if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(key))) {
    throw new Error('the private key is not of the certificate');
  }
  tlsContext({ chain, key });
  return { chain, key };
}
