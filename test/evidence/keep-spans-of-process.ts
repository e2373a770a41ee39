import { keepEvidenceIn } from './evidence-folder.ts';

// For `node --import` of a process that does not inherit our environment: the query of the URL names the folder.

keepEvidenceIn(new URL(import.meta.url).searchParams.get('folder') ?? '');
await import('./keep-spans.ts');
