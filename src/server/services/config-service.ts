import { z } from 'zod';
import type { CheckConfigRequest, ConfigServiceImplementation } from '../../gen/leasehold/v1/config_service.ts';
import { type ConfigCheck, checkConfig } from '../../shared/configs/check-config.ts';
import { createConfig } from '../../shared/configs/create-config.ts';
import { deleteConfig } from '../../shared/configs/delete-config.ts';
import { updateConfig } from '../../shared/configs/update-config.ts';
import type { ConfigDraft } from '../../shared/domain/config.ts';
import { InvalidArgument } from '../../shared/domain/errors.ts';
import { findConfig } from '../../shared/leases/find-config.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import { configMessage } from '../messages/config-message.ts';
import { parseConfigDraft } from '../requests/config-draft.ts';
import { applyFieldMask } from '../requests/field-mask.ts';
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
      const updated = await updateConfig(ports, name, wanted.etag, (current) =>
        parseConfigDraft(applyFieldMask(configMessage(current), wanted, updateMask ?? []), current.access),
      );
      return configMessage(updated);
    },

    async deleteConfig(request) {
      const { name } = parse(named, request);
      await deleteConfig(ports, name, request);
      return {};
    },

    async checkConfig(request) {
      return checkMessage(await checkConfig(ports, await draftToCheck(ports, request)));
    },
  };
}

async function draftToCheck(ports: Ports, { target }: CheckConfigRequest): Promise<ConfigDraft> {
  if (!target) {
    throw new InvalidArgument([{ field: 'target', description: 'must be name or config' }]);
  }
  return target.$case === 'config'
    ? parseConfigDraft(target.value)
    : findConfig(ports, parse(named, { name: target.value }).name);
}

function checkMessage({ permissions, missingRbacManifest }: ConfigCheck) {
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
    allAllowed: permissions.every(({ allowed, optional }) => allowed || optional),
    missingRbacManifest,
  };
}
