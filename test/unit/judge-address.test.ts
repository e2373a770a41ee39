import { expect, test } from 'vitest';
import { AllowedNetworks } from '../../src/shared/kubernetes/egress/allowed-networks.ts';
import { refusalOf } from '../../src/shared/kubernetes/egress/judge-address.ts';

const EVERYTHING = AllowedNetworks.parse('0.0.0.0/0, ::/0');
const PRIVATE = ['127.0.0.1', '127.8.8.8', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1'];
const ALSO_PRIVATE = ['198.18.0.1', '198.19.255.255', '::1', 'fc00::1', 'fd12:3456::1', '::ffff:10.0.0.1'];

test.each([
  ...['8.8.8.8', '172.15.0.1', '172.32.0.1', '100.63.255.255', '100.128.0.1', '169.253.0.1', '198.17.0.1', '223.0.0.1'],
  ...['2001:4860:4860::8888', '2a00:1450::1', '::ffff:8.8.8.8', '::ffff:808:808', '64:ff9b::8.8.8.8'],
])('%s is public', (address) => {
  expect(refusalOf(address, [])).toBeUndefined();
});

test.each([...PRIVATE, ...ALSO_PRIVATE])('%s may be called only where a setting says so', (address) => {
  expect(refusalOf(address, [])).toMatch(/which LEASEHOLD_ALLOWED_NETWORKS does not hold: add its network there$/);
  expect(refusalOf(address, EVERYTHING)).toBeUndefined();
});

test.each([
  ['link-local', '169.254.0.1'],
  ['the metadata service of most clouds', '169.254.169.254'],
  ['the same, mapped into IPv6', '::ffff:169.254.169.254'],
  ['the same, in hexadecimal', '::ffff:a9fe:a9fe'],
  ['the same, written in full', '0:0:0:0:0:ffff:a9fe:a9fe'],
  ['the same, compatible with IPv4', '::169.254.169.254'],
  ['the same, translated (SIIT)', '::ffff:0:169.254.169.254'],
  ['the same, by NAT64', '64:ff9b::169.254.169.254'],
  ['the same, by a NAT64 of one’s own', '64:ff9b:1::169.254.169.254'],
  ['the same, by 6to4', '2002:a9fe:a9fe::1'],
  ['the same, by Teredo', '2001:0:4136:e378:8000:63bf:5601:5601'],
  ['the same, by ISATAP', '2a00:1450::5efe:169.254.169.254'],
  ['the same, by ISATAP with the universal bit', '2a00:1450::200:5efe:169.254.169.254'],
  ['a private address by NAT64', '64:ff9b::10.0.0.1'],
  ['loopback, compatible with IPv4', '::127.0.0.1'],
  ['AWS by IPv6', 'fd00:ec2::254'],
  ['AWS, the pods’ credentials', 'fd00:ec2::23'],
  ['Google Cloud by IPv6', 'fd20:ce::254'],
  ['Oracle by IPv6', 'fd00:c1::a9fe:a9fe'],
  ['Scaleway by IPv6', 'fd00:42::42'],
  ['Azure', '168.63.129.16'],
  ['Alibaba', '100.100.100.200'],
  ['Oracle', '192.0.0.192'],
  ['link-local of IPv6', 'fe80::1'],
  ['the same with a zone', 'fe80::1%eth0'],
  ['a public address with a zone', '2a00:1450::1%eth0'],
  ['site-local', 'fec0::1'],
  ['unspecified', '0.0.0.0'],
  ['this network', '0.1.2.3'],
  ['unspecified of IPv6', '::'],
  ['multicast', '224.0.0.1'],
  ['multicast of IPv6', 'ff02::1'],
  ['broadcast', '255.255.255.255'],
  ['reserved', '240.0.0.1'],
  ['for documentation', '192.0.2.1'],
  ['for documentation of IPv6', '2001:db8::1'],
  ['given out to nobody', '4000::1'],
  ['a name', 'localhost'],
  ['an abbreviation', '127.1'],
  ['a number', '2130706433'],
  ['octal', '0177.0.0.1'],
  ['nothing', ''],
])('%s is never called: %s', (_, address) => {
  expect(refusalOf(address, EVERYTHING)).toBeDefined();
});

test('a network allows what is in it, and no more', () => {
  const allowed = AllowedNetworks.parse(' 10.1.0.0/16 ,fd12::/16');
  expect(refusalOf('10.1.255.255', allowed)).toBeUndefined();
  expect(refusalOf('::ffff:10.1.0.1', allowed)).toBeUndefined();
  expect(refusalOf('fd12::1', allowed)).toBeUndefined();
  expect(refusalOf('10.2.0.1', allowed)).toMatch('a private address');
  expect(refusalOf('fd13::1', allowed)).toMatch('unique local');
  expect(refusalOf('127.0.0.1', allowed)).toMatch('loopback');
});

test.each(['10.0.0.0', '10/8', '010.0.0.0/8', '10.0.0.0/33', '10.0.0.0/8;fd00::/8', 'localhost', 'fd00::/129', ','])(
  'the setting takes networks only, not %s',
  (text) => {
    expect(AllowedNetworks.safeParse(text).success).toBe(false);
  },
);

test.each([undefined, '', ' '])('the setting may be empty: %j', (text) => {
  expect(AllowedNetworks.parse(text)).toEqual([]);
});
