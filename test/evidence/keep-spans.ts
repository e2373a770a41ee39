import { onSpanEnd } from '../support/record-spans.ts';
import { evidenceFolder, keepEvidence } from './evidence-folder.ts';

// Imported first in each process: keeps every span that ends in it.

if (evidenceFolder() !== undefined) {
  onSpanEnd(({ name, attributes, events, links, status, resource }) =>
    keepEvidence(
      'spans',
      `${JSON.stringify({ name, attributes, events, links, status, resource: resource.attributes })}\n`,
    ),
  );
}
