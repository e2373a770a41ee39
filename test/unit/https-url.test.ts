import { expect, test } from 'vitest';
import { parseBaseUrl, parseDocumentUrl, storedBaseUrl } from '../../src/shared/domain/https-url.ts';
import { Malformed } from '../../src/shared/domain/malformed.ts';

test.each([
  ['https://kubernetes.default.svc', 'https://kubernetes.default.svc'],
  ['HTTPS://Cluster.Example:443/', 'https://cluster.example'],
  ['https://cluster.example.:06443', 'https://cluster.example:6443'],
  ['https://cluster.example:', 'https://cluster.example'],
  ['https://rancher.example/k8s/clusters/c-1/', 'https://rancher.example/k8s/clusters/c-1'],
  ['https://kcp.example/clusters/root:org:ws', 'https://kcp.example/clusters/root:org:ws'],
  ['https://bücher.example', 'https://xn--bcher-kva.example'],
  ['https://[0:0:0::1]:6443', 'https://[::1]:6443'],
  ['https://[::FFFF:127.0.0.1]', 'https://[::ffff:7f00:1]'],
  ['https://10.0.0.1:6443', 'https://10.0.0.1:6443'],
  ['https://h/%6b8s/%c3%bc/ü/a%20b', 'https://h/k8s/%C3%BC/%C3%BC/a%20b'],
  [`https://${'a'.repeat(63)}.example`, `https://${'a'.repeat(63)}.example`],
])('%s is %s', (written, canonical) => {
  expect(parseBaseUrl(written)).toBe(canonical);
  expect(parseBaseUrl(canonical)).toBe(canonical);
  expect(storedBaseUrl(canonical)).toBe(canonical);
});

test.each([
  ['', 'https://host'],
  ['cluster.example', 'https://host'],
  ['http://cluster.example', 'https://host'],
  ['https:cluster.example', 'https://host'],
  ['https:/cluster.example', 'https://host'],
  ['https:///cluster.example', 'https://host'],
  ['https://::1:6443', 'in brackets'],
  ['https://h\\k8s', 'backslash'],
  ['https://h/a\tb', 'blanks'],
  ['https://h\r\n', 'blanks'],
  ['https://h/a\u00a0b', 'blanks'],
  ['https://exa\u00admple.com', 'invisible'],
  ['https://exa\u200bmple.com', 'invisible'],
  ['https://@h', 'user'],
  ['https://user:password@h', 'user'],
  ['https://h?', 'query'],
  ['https://h/k8s?a=b', 'query'],
  ['https://h#', 'fragment'],
  ['https://h/#a', 'fragment'],
  ['https://h//', '//'],
  ['https://h/k8s//c-1', '//'],
  ['https://h/.', 'segment'],
  ['https://h/k8s/../admin', 'segment'],
  ['https://h/k8s/%2E%2e/admin', 'segment'],
  ['https://h/k8s/.%2e', 'segment'],
  ['https://h/k8s/..;/admin', 'segment'],
  ['https://h/a%2Fb', 'escaped slash'],
  ['https://h/a%5cb', 'escaped slash'],
  ['https://h/a%252fb', 'escaped slash'],
  ['https://h/a%0ab', 'escaped slash'],
  ['https://h/100%', 'bare %'],
  ['https://h:0', 'port'],
  ['https://h:65536', 'port'],
  ['https://h:+1', 'https://host'],
  ['https://2130706433', 'read as 127.0.0.1'],
  ['https://0x7f.1', 'read as 127.0.0.1'],
  ['https://010.0.0.1', 'read as 8.0.0.1'],
  ['https://127.0.0.1.', 'read as 127.0.0.1'],
  ['https://１２７.0.0.1', 'read as 127.0.0.1'],
  ['https://%31%32%37.0.0.1', 'invalid host'],
  ['https://[fe80::1%25eth0]', 'zone'],
  ['https://[127.0.0.1]', 'invalid host'],
  ['https://a..example', 'invalid host'],
  ['https://example..', 'invalid host'],
  ['https://-a.example', 'invalid host'],
  [`https://${'a'.repeat(64)}.example`, 'invalid host'],
  [`https://h/${'a'.repeat(2048)}`, '2048'],
])('%j is refused: %s', (written, problem) => {
  const parsing = () => parseBaseUrl(written);
  expect(parsing).toThrow(Malformed);
  expect(parsing).toThrow(problem);
  expect(parsing).not.toThrow('password@');
});

test('a document keeps its query and its last slash', () => {
  expect(parseDocumentUrl('https://Login.example/keys?p=b2c_1')).toBe('https://login.example/keys?p=b2c_1');
  expect(parseDocumentUrl('https://login.example/keys/')).toBe('https://login.example/keys/');
  expect(() => parseDocumentUrl('https://login.example/keys?')).toThrow('empty query');
  expect(() => parseDocumentUrl('https://login.example/keys#a')).toThrow('fragment');
});

test.each([
  ['https://Cluster.example:443/', 'https://cluster.example'],
  ['https:cluster.example/a/../b/', 'https://cluster.example/b'],
  ['https://cluster.example.?', 'https://cluster.example'],
  ['https://0x7f.1:6443', 'https://127.0.0.1:6443'],
  ['https://cluster.example//a', 'https://cluster.example//a'],
])('%s, stored by an older version, has been called as %s', (stored, called) => {
  expect(storedBaseUrl(stored)).toBe(called);
});
