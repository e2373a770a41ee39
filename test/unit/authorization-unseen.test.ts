import { expect, test } from 'vitest';
import { CedarAuthorizer } from '../../src/shared/authorization/cedar-authorizer.ts';
import type { Question } from '../../src/shared/ports/authorizer.ts';

/** Whether somebody in `ops` may hear that a config does not exist. */
function mayHear(text: string, action: Question['action'] = 'GetConfig'): boolean {
  const fail = (problem: string) => expect.unreachable(problem);
  return new CedarAuthorizer([{ name: 'p.cedar', text }], fail).allows({
    principal: { kind: 'api-key', id: 'k', issuer: 'leasehold', groups: ['ops'] },
    action,
    resource: { kind: 'any', of: 'config', name: 'gone' },
    conditions: {},
    origin: { sourceIp: '10.0.0.7', transport: 'tls' },
  });
}

const OPS = 'principal in Leasehold::Group::"ops", action';

test.each([
  ['whatever it is', `permit (${OPS}, resource);`],
  ['on all of its type', `permit (${OPS}, resource is Leasehold::Config);`],
  [
    'by where the call comes from',
    `permit (${OPS}, resource) when { context.transport == "tls" && context has source_ip };`,
  ],
  [
    'where what is forbidden is of another type',
    `permit (${OPS}, resource); forbid (principal, action, resource is Leasehold::Lease);`,
  ],
  [
    'where others are forbidden it',
    `permit (${OPS}, resource); forbid (principal in Leasehold::Group::"dev", action, resource);`,
  ],
])('who may do it %s may hear that there is none', (_why, text) => {
  expect(mayHear(text)).toBe(true);
});

test.each([
  ['by a label', `permit (${OPS}, resource is Leasehold::Config) when { resource.hasTag("public") };`],
  ['unless there is a label', `permit (${OPS}, resource is Leasehold::Config) unless { resource.hasTag("secret") };`],
  ['by its name', `permit (${OPS}, resource == Leasehold::Config::"gone");`],
  ['by its name in a condition', `permit (${OPS}, resource) when { resource == Leasehold::Config::"gone" };`],
  ['by what a certain one is like', `permit (${OPS}, resource) when { !Leasehold::Config::"gone".hasTag("secret") };`],
  ['of another type', `permit (${OPS}, resource is Leasehold::Lease);`],
  [
    'where some are forbidden',
    `permit (${OPS}, resource); forbid (principal, action, resource is Leasehold::Config) when { resource.hasTag("secret") };`,
  ],
  [
    'where all but some are forbidden',
    `permit (${OPS}, resource); forbid (principal, action, resource is Leasehold::Config) unless { resource.hasTag("public") };`,
  ],
  [
    'where one is forbidden',
    `permit (${OPS}, resource); forbid (principal, action, resource == Leasehold::Config::"secret");`,
  ],
  [
    'where all are forbidden from there',
    `permit (${OPS}, resource); forbid (principal, action, resource) when { context.transport == "tls" };`,
  ],
])('who may do it only %s may not', (_why, text) => {
  expect(mayHear(text)).toBe(false);
});

test('a condition that follows from the resource is not known either', () => {
  const issue = (when: string) => `permit (principal, action == Leasehold::Action::"IssueLease", resource) ${when};`;
  expect(mayHear(issue(''), 'IssueLease')).toBe(true);
  expect(mayHear(issue('when { !context.cluster_wide }'), 'IssueLease')).toBe(false);
  expect(mayHear(issue('when { !(context has role_kind) }'), 'IssueLease')).toBe(false);
});
