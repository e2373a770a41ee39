import {
  BindingScope,
  Config as ConfigMessage,
  RoleKind,
  type TlsOptions as TlsMessage,
} from '../../gen/leasehold/v1/config.ts';
import { etagOf } from '../../shared/configs/etag.ts';
import type { Config, TlsOptions } from '../../shared/domain/config.ts';
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
    access: { $case: 'direct', value: { url: config.access.url, tls: tlsMessage(config.access.tls), token: '' } },
    credential: credentialMessage(config.credential),
    createTime: new Date(config.createTime),
    updateTime: new Date(config.updateTime),
    etag: etagOf(config),
  });
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
