import { z } from 'zod';
import type { Place } from '../domain/places.ts';
import type { FoundObject } from '../ports/cluster.ts';

/** Asks for the objects' metadata only (kubernetes.io/docs/reference/using-api/api-concepts): no Secret's data comes to us. */
export const LIST_ACCEPT = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** The same of one object. */
export const OBJECT_ACCEPT = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

const Metadata = z.object({
  name: z.string().min(1),
  uid: z.string().min(1),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
});

/** One object. */
export const MetadataOfOne = z.object({ kind: z.literal('PartialObjectMetadata'), metadata: Metadata });

/** One page of a list. */
export const MetadataPage = z.object({
  kind: z.literal('PartialObjectMetadataList'),
  metadata: z.object({
    /** Leads to the next page; missing or empty on the last. */
    continue: z.string().optional(),
  }),
  /** null where there are none, as Go writes an empty list. */
  items: z.array(z.object({ metadata: Metadata })).nullable(),
});

/** The query for the page that `next` leads to; undefined: the first. */
export function listQuery(
  labels: Readonly<Record<string, string>>,
  pageSize: number,
  next: string | undefined,
): string {
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const query = new URLSearchParams({ labelSelector, limit: String(pageSize), ...(next ? { continue: next } : {}) });
  return `?${query}`;
}

export function foundIn(place: Place, { items }: z.infer<typeof MetadataPage>): FoundObject[] {
  return (items ?? []).map(({ metadata }) => ({ ...place, ...metadata }));
}
