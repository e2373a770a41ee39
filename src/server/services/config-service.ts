import { z } from 'zod';
import type { CheckConfigRequest, ConfigServiceImplementation } from '../../gen/leasehold/v1/config_service.ts';
import { accessFor } from '../../shared/configs/access-for.ts';
import { type CheckedConfig, type ConfigCheck, checkConfig } from '../../shared/configs/check-config.ts';
import { createConfig } from '../../shared/configs/create-config.ts';
import { deleteConfig } from '../../shared/configs/delete-config.ts';
import { updateConfig } from '../../shared/configs/update-config.ts';
import { InvalidArgument } from '../../shared/domain/errors.ts';
import { findConfig } from '../../shared/leases/find-config.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import { configMessage } from '../messages/config-message.ts';
import { gatewayMessage } from '../messages/gateway-message.ts';
import { parseConfigDraft } from '../requests/config-draft.ts';
import { applyFieldMask, isOfAccess } from '../requests/field-mask.ts';
import { dnsLabel, pageSize } from '../requests/fields.ts';
import { readPageToken, writePageToken } from '../requests/page-token.ts';
import { parse } from '../requests/parse.ts';

const named = z.object({ name: dnsLabel });

/** The RPCs of leasehold.v1.ConfigService; the proto says what each does. */
export function configService(ports: Ports): ConfigServiceImplementation {
  return {
    async createConfig(request) {
      return configMessage(await createConfig(ports, parseConfigDraft(request.config)));
    },

    async getConfig(request) {
      const { name } = parse(named, request);
      return configMessage(await findConfig(ports, name));
    },

    async listConfigs(request) {
      const limit = parse(z.object({ pageSize }), request).pageSize;
      const after = readPageToken(request.pageToken, {}) ?? '';
      const configs = await ports.configs.list({ after, limit: limit + 1 });
      const page = configs.slice(0, limit);
      return {
        configs: page.map(configMessage),
        nextPageToken: configs.length > limit ? writePageToken(page.at(-1)?.name ?? '', {}) : '',
      };
    },

    async updateConfig({ config: wanted, updateMask }, _context) {
      const { name } = parse(named, wanted ?? {}, 'config');
      if (!wanted) {
        throw new InvalidArgument([{ field: 'config', description: 'is required' }]);
      }
      const paths = updateMask ?? [];
      const updated = await updateConfig(ports, name, wanted.etag, (current) => {
        const draft = parseConfigDraft(applyFieldMask(configMessage(current), wanted, paths), current.access);
        return { ...draft, access: paths.some(isOfAccess) ? draft.access : undefined };
      });
      return configMessage(updated);
    },

    async deleteConfig(request) {
      const { name } = parse(named, request);
      await deleteConfig(ports, name, request);
      return {};
    },

    async checkConfig(request) {
      return checkMessage(await checkConfig(ports, await configToCheck(ports, request)));
    },
  };
}

async function configToCheck(ports: Ports, { target }: CheckConfigRequest): Promise<CheckedConfig> {
  if (!target) {
    throw new InvalidArgument([{ field: 'target', description: 'must be name or config' }]);
  }
  if (target.$case === 'name') {
    return findConfig(ports, parse(named, { name: target.value }).name);
  }
  const draft = parseConfigDraft(target.value);
  return { ...draft, access: await accessFor(ports, draft.access) };
}

function checkMessage({ permissions, missingRbacManifest, gateway }: ConfigCheck) {
  return {
    permissions: permissions.map(({ verb, apiGroup, resource, namespace = '', objectName = '', ...check }) => ({
      verb,
      apiGroup,
      resource,
      namespace,
      objectName,
      allowed: check.allowed,
      optional: check.optional ?? false,
      reason: [check.purpose, check.reason].filter((part) => part !== '').join(': '),
    })),
    allAllowed: permissions.length > 0 && permissions.every(({ allowed, optional }) => allowed || optional),
    missingRbacManifest,
    gateway: gateway && gatewayMessage(gateway),
  };
}
