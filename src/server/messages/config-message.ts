import {
  BindingScope,
  Config as ConfigMessage,
  RoleKind,
  type TlsOptions as TlsMessage,
} from '../../gen/leasehold/v1/config.ts';
import { etagOf } from '../../shared/configs/etag.ts';
import type { Access, Config, TlsOptions } from '../../shared/domain/config.ts';
import { durationOf } from './duration.ts';

/** A config as callers see it: everything but the cluster token. */
export function configMessage(config: Config): ConfigMessage {
  return ConfigMessage.fromPartial({
    name: config.name,
    uid: config.uid,
    defaultTtl: durationOf(config.defaultTtlSeconds),
    maxTtl: durationOf(config.maxTtlSeconds),
    audiences: [...config.audiences],
    labels: config.labels,
    access: accessMessage(config.access),
    credential: credentialMessage(config.credential),
    createTime: new Date(config.createTime),
    updateTime: new Date(config.updateTime),
    etag: etagOf(config),
  });
}

function accessMessage(access: Access): NonNullable<ConfigMessage['access']> {
  if (access.kind === 'gateway') {
    return { $case: 'gateway', value: { name: access.gateway.name } };
  }
  const { url, tls, gateway } = access;
  return { $case: 'direct', value: { url, tls: tlsMessage(tls), token: '', gateway: gateway?.name ?? '' } };
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
