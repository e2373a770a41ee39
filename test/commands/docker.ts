import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { pageText } from './documented.ts';

// docker-compose.yml and Dockerfile, read as Docker reads them: as far as these two go.

const Text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const Port = z.string().regex(/^[\d.]+:\d+:\d+$/);

/** What the services here use of the Compose specification: a word that is not known fails. */
const Service = z.strictObject({
  image: z.string(),
  build: z.literal('.').optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), Text.nullable()).default({}),
  networks: z.array(z.string()).default([]),
  depends_on: z
    .union([
      z.array(z.string()),
      z
        .record(z.string(), z.strictObject({ condition: z.enum(['service_healthy', 'service_started']) }))
        .transform(Object.keys),
    ])
    .default([]),
  volumes: z.array(z.string()).default([]),
  ports: z.array(Port).default([]),
  profiles: z.array(z.string()).default([]),
  healthcheck: z
    .strictObject({
      test: z.tuple([z.enum(['CMD', 'CMD-SHELL'])], z.string()),
      interval: z.string(),
      timeout: z.string(),
      start_period: z.string().optional(),
      retries: z.number().optional(),
    })
    .optional(),
  init: z.boolean().optional(),
  privileged: z.boolean().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  restart: z.literal('unless-stopped').optional(),
  stop_grace_period: z.string().optional(),
  mem_limit: z.string().optional(),
  hostname: z.string().optional(),
  tmpfs: z.array(z.string()).optional(),
});

const ComposeFile = z.strictObject({
  name: z.string(),
  'x-leasehold': z.unknown(),
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), z.unknown()),
  volumes: z.record(z.string(), z.unknown()),
});
type ComposeFile = z.infer<typeof ComposeFile>;

/** Reads docker-compose.yml with its variables from this environment. Throws where a required one is missing. */
export function readComposeFile(environment: Record<string, string>): ComposeFile {
  const file = ComposeFile.parse(parse(interpolated(pageText('docker-compose.yml'), environment), { merge: true }));
  for (const service of Object.values(file.services)) {
    for (const [name, value] of Object.entries(service.environment)) {
      service.environment[name] = value ?? environment[name] ?? null;
    }
  }
  return file;
}

/** `${NAME}`, `${NAME:-default}` and `${NAME:?message}`. */
function interpolated(text: string, environment: Record<string, string>): string {
  return text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, word = '') => {
    const value = environment[name] ?? '';
    if (value === '' && kind === '?') {
      throw new Error(`docker-compose.yml needs ${name}: ${word}`);
    }
    return value === '' ? word : value;
  });
}

interface Stage {
  name: string | undefined;
  base: string;
  /** What it copies: from which stage (undefined: the checkout), what, and where to. */
  copies: { from: string | undefined; sources: string[]; target: string }[];
  command: string[] | undefined;
}

/** The stages of the Dockerfile, in their order. */
export function dockerStages(): Stage[] {
  const stages: Stage[] = [];
  for (const line of pageText('Dockerfile').split('\n')) {
    const [instruction, ...words] = line.split(' ');
    if (instruction === 'FROM') {
      stages.push({ base: words[0] ?? '', name: words[2], copies: [], command: undefined });
    } else if (instruction === 'COPY') {
      const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
      const paths = words.filter((word) => !word.startsWith('--'));
      stages.at(-1)?.copies.push({ from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' });
    } else if (instruction === 'CMD') {
      const stage = stages.at(-1);
      if (stage) {
        stage.command = z.array(z.string()).parse(JSON.parse(words.join(' ')));
      }
    }
  }
  return stages;
}

/** Throws where Docker would not know what a command line of the pages means. */
export function requireKnownDockerCall([command = '', ...args]: readonly string[], file: ComposeFile): void {
  if (command === 'build') {
    requireKnownBuild(args);
  } else {
    requireKnownCompose(args, file);
  }
}

function requireKnownBuild(args: string[]): void {
  const { values, positionals } = parseArgs({
    args,
    options: { target: { type: 'string' }, tag: { type: 'string' } },
    allowPositionals: true,
  });
  if (values.target !== undefined && !dockerStages().some(({ name }) => name === values.target)) {
    throw new Error(`the Dockerfile has no stage ${values.target}`);
  }
  if (positionals.join() !== '.') {
    throw new Error(`the image is built from the checkout, not from ${positionals.join(' ')}`);
  }
}

function requireKnownCompose(args: string[], { services }: ComposeFile): void {
  const { values, positionals } = parseArgs({
    args,
    options: { profile: { type: 'string' }, build: { type: 'boolean' }, wait: { type: 'boolean' } },
    allowPositionals: true,
  });
  const started = Object.entries(services).filter(
    ([, { profiles }]) => profiles.length === 0 || (values.profile !== undefined && profiles.includes(values.profile)),
  );
  if (values.profile !== undefined && !started.some(([, { profiles }]) => profiles.length > 0)) {
    throw new Error(`docker-compose.yml has no profile ${values.profile}`);
  }
  const [command, source = ''] = positionals;
  if (command === 'cp') {
    const [name = '', path = ''] = source.split(':');
    const mounts = Object.fromEntries(started)[name]?.volumes.map((volume) => volume.split(':')[1] ?? '') ?? [];
    if (!mounts.some((mount) => path.startsWith(`${mount}/`))) {
      throw new Error(`no service that is started keeps ${source} in a volume`);
    }
  } else if (command !== 'up' || positionals.length > 1) {
    throw new Error(`no page is known to say: docker compose ${args.join(' ')}`);
  }
}
