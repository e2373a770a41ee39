import { z } from 'zod';
import { DNS_LABEL, DNS_SUBDOMAIN, LABEL_KEY, LABEL_VALUE } from '../../shared/domain/kubernetes-names.ts';
import { MAX_PRINCIPAL_NAME } from '../../shared/domain/principal.ts';
import { MAX_TOKEN_SECONDS } from '../../shared/domain/ttl.ts';

// Fields that several requests share.

export const dnsLabel = z
  .string()
  .regex(DNS_LABEL, "must be a DNS label: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit");

export const dnsSubdomain = z
  .string()
  .regex(DNS_SUBDOMAIN, "must be a DNS subdomain: up to 253 of a-z, 0-9, '-' and '.', as Kubernetes names are");

export const audiences = z
  .array(z.string().min(1, 'must not be empty').max(253, 'must have at most 253 characters'))
  .max(16, 'must be at most 16')
  .refine((list) => new Set(list).size === list.length, 'must not repeat');

/** A principal, as leases name it. */
export const principalText = z
  .string()
  .min(1, 'must not be empty')
  .max(MAX_PRINCIPAL_NAME, `must have at most ${MAX_PRINCIPAL_NAME} characters`);

const MAX_LABELS = 32;

export const kubernetesLabels = z
  .record(
    z.string().regex(LABEL_KEY, 'must be a Kubernetes label name'),
    z.string().regex(LABEL_VALUE, 'must be a Kubernetes label value'),
  )
  .refine((map) => Object.keys(map).length <= MAX_LABELS, `must be at most ${MAX_LABELS}`);

/** google.protobuf.Duration to seconds. */
export const wholeSeconds = z
  .object({ seconds: z.bigint(), nanos: z.int() }, 'is required')
  .refine(({ nanos }) => nanos === 0, 'must be whole seconds')
  .refine(({ seconds }) => seconds >= 1n, 'must be at least 1 s')
  .refine(({ seconds }) => seconds <= BigInt(MAX_TOKEN_SECONDS), `must be at most ${MAX_TOKEN_SECONDS} s`)
  .transform(({ seconds }) => Number(seconds));

/** 0 stands for the default (AIP-158). */
export const pageSize = z
  .int()
  .min(0, 'must not be negative')
  .max(1000, 'must be at most 1000')
  .transform((size) => size || 100);

/** Empty strings of the wire as undefined. */
export const emptyAsUndefined = z.string().transform((text) => text || undefined);
