import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { Config as ConfigMessage } from '../../gen/leasehold/v1/config.ts';
import {
  type CheckConfigRequest,
  type ConfigServiceImplementation,
  type CreateConfigRequest,
  type DeleteConfigRequest,
  type GetConfigRequest,
  type ListConfigsRequest,
  ObjectState,
  type UpdateConfigRequest,
} from '../../gen/leasehold/v1/config_service.ts';
import { accessFor } from '../../shared/configs/access-for.ts';
import { chargeCheck, chargeTrial } from '../../shared/configs/charge-calls.ts';
import { type CheckedConfig, type ConfigCheck, checkConfig } from '../../shared/configs/check-config.ts';
import { createConfig } from '../../shared/configs/create-config.ts';
import { deleteConfig } from '../../shared/configs/delete-config.ts';
import { updateConfig } from '../../shared/configs/update-config.ts';
import type { WrittenConfig } from '../../shared/configs/written-config.ts';
import type { ConfigDraft } from '../../shared/domain/config.ts';
import { isIntact, requireIntact, type StoredConfig } from '../../shared/domain/damaged-config.ts';
import { InvalidArgument } from '../../shared/domain/errors.ts';
import { shorten } from '../../shared/domain/shorten.ts';
import type { Resource } from '../../shared/ports/authorizer.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import type { CallerContext } from '../caller.ts';
import type { Guard, GuardedService } from '../guard.ts';
import type { Lists } from '../lists.ts';
import { configMessage } from '../messages/config-message.ts';
import { gatewayMessage } from '../messages/gateway-message.ts';
import { parseConfigDraft } from '../requests/config-draft.ts';
import { applyFieldMask, isOfAccess } from '../requests/field-mask.ts';
import { dnsLabel, pageSize } from '../requests/fields.ts';
import { parse } from '../requests/parse.ts';
import { configOf, configResource, credentialConditions, INSTALLATION } from '../resources.ts';

const named = z.object({ name: dnsLabel });
const paged = z.object({ pageSize });

/** Characters of a cluster's reason: there may be hundreds of permissions, and their reasons are in one message. */
const MAX_REASON = 500;

/** The RPCs of leasehold.v1.ConfigService; the proto says what each does. */
export function configService(
  ports: Ports,
  guard: Guard,
  lists: Lists,
): GuardedService<ConfigServiceImplementation<CallerContext>> {
  return {
    createConfig: guard.unary('CreateConfig', {
      parse: ({ config }: CreateConfigRequest) => parseConfigDraft(config),
      on: (draft) => ({ resource: configResource(draft) }),
      conditions: (draft) => credentialConditions(draft),
      run: async (draft, _found, { name }) => written(ports, await createConfig(ports, draft, name)),
    }),

    getConfig: guard.unary('GetConfig', {
      parse: (request: GetConfigRequest) => parse(named, request),
      on: ({ name }) => configOf(ports, name),
      run: (_wanted, { config }) => shown(ports, config),
    }),

    listConfigs: guard.unary('ListConfigs', {
      parse: ({ pageToken, ...request }: ListConfigsRequest) => ({ ...parse(paged, request), pageToken }),
      on: () => INSTALLATION,
      async run(page, _found, caller) {
        const { items, nextPageToken } = await lists.page(page, {}, caller, {
          list: 'ListConfigs',
          shows: { action: 'GetConfig', of: 'config' },
          read: (after = '', limit) => ports.configs.list({ after, limit }),
          nameOf: ({ name }) => name,
          resourceOf: configResource,
          messageOf: (config) => shown(ports, config),
          type: ConfigMessage,
        });
        return { configs: items, nextPageToken };
      },
    }),

    updateConfig: guard.unary('UpdateConfig', {
      parse: parseUpdate,
      on: ({ name }) => configOf(ports, name),
      conditions: (_wanted, { config }) => credentialConditions(config),
      async run({ wanted, paths }, { config }, caller) {
        const change = (stored: StoredConfig) => {
          const current = paths.some(isOfAccess) ? stored : requireIntact(stored);
          const message = applyFieldMask(configMessage(current), wanted, paths);
          const draft = parseConfigDraft(message, isIntact(current) ? current.access : undefined);
          // What it becomes must be allowed as well: labels, above all, say who may use it.
          caller.require('UpdateConfig', configResource(draft), credentialConditions(draft));
          return { ...draft, access: paths.some(isOfAccess) ? draft.access : undefined };
        };
        return written(ports, await updateConfig(ports, config, wanted.etag, change, caller.name));
      },
    }),

    deleteConfig: guard.unary('DeleteConfig', {
      parse: ({ etag, revokeLeases, ...request }: DeleteConfigRequest) => ({
        ...parse(named, request),
        etag,
        revokeLeases,
      }),
      on: ({ name }) => configOf(ports, name),
      conditions: ({ revokeLeases }) => ({ revokeLeases }),
      async run(options, { config }) {
        await deleteConfig(ports, config, options);
        return {};
      },
    }),

    checkConfig: guard.unary('CheckConfig', {
      parse: parseCheck,
      on: (target) => targetOf(ports, target),
      conditions: (_target, { shows }) => credentialConditions(shows),
      async run(target, { resource, bind }, caller) {
        if ('draft' in target) {
          // It makes Leasehold call what the caller names, with what the caller gives: no less than to create it.
          caller.require('CreateConfig', resource, credentialConditions(target.draft));
        }
        const config = await bind();
        await ('draft' in target ? chargeTrial : chargeCheck)(ports, caller.name, config);
        return checkMessage(await checkConfig(ports, config));
      },
    }),
  };
}

async function written(ports: Ports, { config, warnings }: WrittenConfig): Promise<ConfigMessage> {
  return { ...(await shown(ports, config)), warnings: [...warnings] };
}

async function shown(ports: Ports, config: StoredConfig): Promise<ConfigMessage> {
  const access = isIntact(config) ? config.access : undefined;
  const isRenewed = access?.kind === 'direct' && access.renewToken;
  return configMessage(config, isRenewed ? await ports.renewalNotes.errorOf(access.id) : '');
}

function parseUpdate({ config: wanted, updateMask }: UpdateConfigRequest) {
  const { name } = parse(named, wanted ?? {}, 'config');
  if (!wanted) {
    throw new InvalidArgument([{ field: 'config', description: 'is required' }]);
  }
  return { name, wanted, paths: updateMask ?? [] };
}

/** A stored config by its name, or one as it would be. */
type CheckTarget = { name: string } | { draft: ConfigDraft };

function parseCheck({ target }: CheckConfigRequest): CheckTarget {
  if (!target) {
    throw new InvalidArgument([{ field: 'target', description: 'must be name or config' }]);
  }
  return target.$case === 'name' ? parse(named, { name: target.value }) : { draft: parseConfigDraft(target.value) };
}
interface FoundTarget {
  resource: Resource;
  /** What policies are told of it. */
  shows: StoredConfig | ConfigDraft;
  /** With the access by which its cluster is asked. Throws InvalidArgument where there is no such gateway. */
  bind(): Promise<CheckedConfig>;
}

async function targetOf(ports: Ports, target: CheckTarget): Promise<FoundTarget> {
  if ('name' in target) {
    const { config, resource } = await configOf(ports, target.name);
    return { resource, shows: config, bind: async () => requireIntact(config) };
  }
  const { draft } = target;
  return {
    resource: configResource(draft),
    shows: draft,
    bind: async () => ({ ...draft, access: await accessFor(ports, draft.access, uuidv7()) }),
  };
}

const OBJECT_STATES = {
  found: ObjectState.OBJECT_STATE_FOUND,
  missing: ObjectState.OBJECT_STATE_MISSING,
  'not looked at': ObjectState.OBJECT_STATE_NOT_LOOKED_AT,
  empty: ObjectState.OBJECT_STATE_EMPTY,
} as const;

function checkMessage({ permissions, objects, missingRbacManifest, gateway }: ConfigCheck) {
  return {
    permissions: permissions.map(({ verb, apiGroup, resource, namespace = '', objectName = '', ...check }) => ({
      verb,
      apiGroup,
      resource,
      namespace,
      objectName,
      allowed: check.allowed,
      optional: check.optional ?? false,
      reason: [check.purpose, shorten(check.reason, MAX_REASON)].filter((part) => part !== '').join(': '),
    })),
    allAllowed: permissions.length > 0 && permissions.every(({ allowed, optional }) => allowed || optional),
    missingRbacManifest,
    objects: objects.map(({ namespace = '', state, ...object }) => ({
      ...object,
      namespace,
      state: OBJECT_STATES[state],
    })),
    gateway: gateway && gatewayMessage(gateway),
  };
}
