import { describe, expect, test } from 'vitest';
import {
  DNS_LABEL,
  DNS_SUBDOMAIN,
  LABEL_KEY,
  LABEL_VALUE,
  PATH_SEGMENT,
} from '../../src/shared/domain/kubernetes-names.ts';

const x = (length: number) => 'x'.repeat(length);

const rules: [string, RegExp, string[], string[]][] = [
  ['DNS label', DNS_LABEL, ['a', '0', 'a-b', x(63)], ['', '-a', 'a-', 'A', 'a.b', 'a_b', x(64), 'a\n']],
  ['DNS subdomain', DNS_SUBDOMAIN, ['a', 'a.b', 'a-b.c', x(253)], ['', '.a', 'a.', 'a..b', '-a', 'A', x(254), 'a\n']],
  [
    'path segment',
    PATH_SEGMENT,
    ['view', 'system:node', 'A', 'a..b', '...'],
    ['', '.', '..', 'a/b', 'a%2f', 'a b', 'a\n', x(254)],
  ],
  [
    'label key',
    LABEL_KEY,
    ['a', 'A.b_c-d', 'example.com/a', x(63)],
    ['', 'a b', '-a', '/a', 'a/', 'A.com/a', x(64), 'a/b/c'],
  ],
  ['label value', LABEL_VALUE, ['', 'a', 'A.b_c-d', x(63)], ['a b', '-a', 'a-', x(64), 'a\n']],
];

describe.each(rules)('%s', (_, rule, good, bad) => {
  test.each(good)('takes %j', (name) => expect(name).toMatch(rule));
  test.each(bad)('refuses %j', (name) => expect(name).not.toMatch(rule));
});
