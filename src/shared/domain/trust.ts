/**
 * TLS options of whoever verifies a certificate: it must lead to one of `anchors` (PEM), or to a CA that Node trusts where
 * they are left out. Each of them is an anchor, as in Go and so in kubectl: also an intermediate CA without its root, which is
 * all that the ca.crt of some distributions holds, or the server's own certificate. OpenSSL alone wants a chain to go up to one
 * that is signed by itself.
 */
export function trustIn(anchors: string | undefined) {
  return { allowPartialTrustChain: true, ...(anchors === undefined ? {} : { ca: anchors }) } as const;
}
