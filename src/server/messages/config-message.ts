import {
  BindingScope,
  Config as ConfigMessage,
  RoleKind,
  type TlsOptions as TlsMessage,
} from '../../gen/leasehold/v1/config.ts';
import { etagOf } from '../../shared/configs/etag.ts';
import { readClaims } from '../../shared/configs/token-claims.ts';
import type { Access, Config, TlsOptions } from '../../shared/domain/config.ts';
import { isIntact, type StoredConfig } from '../../shared/domain/damaged-config.ts';
import { durationOf } from './duration.ts';

/**
 * A config as callers see it: everything but the cluster token, and of a damaged one what is left. `renewalError`: of the last
 * try to renew that token.
 */
export function configMessage(config: StoredConfig, renewalError = ''): ConfigMessage {
  const { defaultTtlSeconds, maxTtlSeconds, audiences = [], createTime, updateTime, credential } = config;
  return ConfigMessage.fromPartial({
    name: config.name,
    uid: config.uid,
    defaultTtl: defaultTtlSeconds === undefined ? undefined : durationOf(defaultTtlSeconds),
    maxTtl: maxTtlSeconds === undefined ? undefined : durationOf(maxTtlSeconds),
    audiences: [...audiences],
    labels: config.labels,
    access: isIntact(config) ? accessMessage(config.access) : undefined,
    credential: credential && credentialMessage(credential),
    createTime: createTime === undefined ? undefined : new Date(createTime),
    updateTime: updateTime === undefined ? undefined : new Date(updateTime),
    etag: etagOf(config),
    problem: isIntact(config) ? '' : config.problem,
    tokenExpireTime: isIntact(config) ? tokenExpireTime(config.access) : undefined,
    tokenRenewalError: renewalError,
  });
}

function accessMessage(access: Access): NonNullable<ConfigMessage['access']> {
  if (access.kind === 'gateway') {
    return { $case: 'gateway', value: { name: access.gateway.name } };
  }
  const { url, tls, renewToken, gateway } = access;
  return {
    $case: 'direct',
    value: { url, tls: tlsMessage(tls), token: '', renewToken, gateway: gateway?.name ?? '' },
  };
}

function tokenExpireTime(access: Access): Date | undefined {
  const expireTime = access.kind === 'direct' ? readClaims(access.token)?.expireTime : undefined;
  return expireTime === undefined ? undefined : new Date(expireTime);
}

export function tlsMessage({ caPem = '', insecureSkipVerify, serverName = '' }: TlsOptions): TlsMessage {
  return { caPem, insecureSkipVerify, serverName };
}

function credentialMessage(credential: Config['credential']): NonNullable<ConfigMessage['credential']> {
  if (credential.kind === 'static') {
    const { namespace, serviceAccount, revocable } = credential;
    return { $case: 'static', value: { namespace, serviceAccount, revocable } };
  }
  const { allowedNamespaces, role, bindingScope } = credential;
  return {
    $case: 'dynamic',
    value: {
      allowedNamespaces: [...allowedNamespaces],
      role: {
        kind: role.kind === 'Role' ? RoleKind.ROLE_KIND_ROLE : RoleKind.ROLE_KIND_CLUSTER_ROLE,
        name: role.name,
      },
      bindingScope:
        bindingScope === 'cluster' ? BindingScope.BINDING_SCOPE_CLUSTER : BindingScope.BINDING_SCOPE_NAMESPACE,
    },
  };
}
