import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readSettings } from '../../src/shared/settings.ts';
import vitestConfig from '../../vitest.config.ts';
import { evidenceFolder, keepEvidence } from '../evidence/evidence-folder.ts';
import { knownSecret } from '../evidence/known-secret.ts';
import { freePort } from '../servers/free-port.ts';
import { makeCa } from '../support/certificates.ts';
import { TEST_NETWORKS } from '../support/egress.ts';
import { readComposeFile, requireKnownDockerCall } from './docker.ts';
import { pages, pageText, ROOT } from './documented.ts';
import { COMMANDS, command, filledIn, NOT_TYPED, typedNowhere } from './known-commands.ts';
import { mountedObjects } from './mounted-objects.ts';
import { becomeReader, type Reader } from './reader.ts';
import type { Terminal } from './terminal.ts';

// Every command that a page or a manifest tells to type is typed here, word for word and in the page's order, by a reader
// with a fresh checkout. Their cluster and Redis are those of `npm run demo -- --keep`, which is one of the commands.

/** For a whole page, on a machine that is busy with other tests. */
const PAGE_WITHIN_MS = 600_000;

let reader: Reader;
let demo: Terminal;
/** Where the demo listens. */
let served: string[];
/** What a reader's terminals have on a machine with that cluster and that Redis. */
let surroundings: Record<string, string>;

beforeAll(async () => {
  reader = await becomeReader((line) => process.stderr.write(`${line}\n`));
}, PAGE_WITHIN_MS);
afterAll(() => reader[Symbol.asyncDispose](), PAGE_WITHIN_MS);

describe('a reader types', { timeout: PAGE_WITHIN_MS }, () => {
  test('the demo, which stays', async () => {
    demo = reader.terminal({ LEASEHOLD_TEST_EVIDENCE: evidenceFolder() ?? '' });
    const shown = await demo.start(command('README.md', 'npm run demo -- --keep'), /"demo":"ok".*\n/);
    surroundings = {
      KUBECONFIG: shownAs('kubeconfig of its administrator', shown),
      LEASEHOLD_REDIS_URL: shownAs('Redis', shown),
      LEASEHOLD_LISTEN: '127.0.0.1:0',
    };
    const addresses = ['gRPC \\(TLS, reflection on\\)', 'Kubernetes API server', 'Redis'];
    served = addresses.map((label) => shownAs(label, shown).replace(/^\w+:\/\//, ''));
  });

  test('README.md: from an account in the cluster to a lease', async () => {
    const terminal = reader.terminal(surroundings);
    await terminal.run(command('README.md', 'kubectl get namespace payments'));
    await terminal.run(command('README.md', 'mkdir -p security'));
    for (const file of ['admin.key', 'seal.key', 'security/server.key']) {
      knownSecret((await reader.read(file)).trim());
    }
    await using leasehold = await startLeasehold(BOTH);

    const answers = await terminal.run(leasehold.at(command('README.md', 'cluster()')));
    const [, token = ''] = /"token": "(eyJ[^"]+)"/.exec(answers) ?? [];
    expect(answers).toContain('"name": "prod-readonly"');
    const whoAmI = await terminal.run(`kubectl --token ${knownSecret(token)} get --raw /version`);
    expect(whoAmI).toContain('gitVersion');

    const minted = await terminal.run(command('README.md', 'kubectl create --raw'));
    expect(minted).toMatch(/"status":\{"token":"eyJ/);
    knownSecret(/"token":"([^"]+)"/.exec(minted)?.[1] ?? '');

    const services = await terminal.run(leasehold.at(command('README.md', 'npx buf curl --protocol grpc --cacert')));
    expect(services.split('\n')).toEqual(
      expect.arrayContaining(['leasehold.v1.ConfigService', 'leasehold.v1.LeaseService']),
    );

    await requireHealthy(leasehold.address);
  });

  test('docs/callers.md', async () => {
    const terminal = reader.terminal(surroundings);
    await terminal.run(command('docs/callers.md', 'npm run -s leasehold'));
    expect(knownSecret((await reader.read('ci.key')).trim())).toMatch(/^leasehold_ci_/);
    expect(await terminal.run(command('docs/callers.md', 'kubectl get --raw'))).toContain('"keys"');
  });

  test('docs/policies.md', async () => {
    expect(await reader.terminal().run(command('docs/policies.md', 'cp -r'))).toContain('passed');
  });

  test('CONTRIBUTING.md', async () => {
    await reader.terminal().run(command('CONTRIBUTING.md', 'npx buf build'));
    expect((await reader.read('proto/released.binpb')).length).toBeGreaterThan(0);
  });

  test('deploy/rbac', async () => {
    const terminal = reader.terminal(surroundings);
    for (const file of ['dynamic', 'cluster-wide', 'static', 'static-revocable', 'renew-token']) {
      const page = `deploy/rbac/${file}.yaml`;
      if (file === 'static') {
        await terminal.run('kubectl create serviceaccount deployer --namespace team-a');
      }
      await terminal.run(command(page, file === 'renew-token' ? 'kubectl apply -f' : 'kubectl get'));
      const token = await terminal.run(command(page, 'kubectl create token'));
      expect(knownSecret(token.trim())).toMatch(/^eyJ/);
    }
  });

  test('docs/gateway.md and deploy/gateway: from a relay to an attached agent', async () => {
    const relay = `127.0.0.1:${await freePort()}`;
    const ca = await makeCa();
    const { cert, key } = await ca.issue(['localhost', 'leasehold.example']);
    await reader.write('relay.pem', cert);
    await reader.write('relay-key.pem', knownSecret(key));
    await reader.write('relay-ca.pem', ca.caPem);
    await reader.write('server-ca.pem', ca.caPem);
    const settings = filledIn(command('docs/gateway.md', 'export LEASEHOLD_RELAY'), {
      '0.0.0.0:50052': relay,
      '10.0.0.7:50052': relay,
    });
    await using leasehold = await startLeasehold(ONE_EACH, settings);

    const page = 'deploy/gateway/README.md';
    const terminal = reader.terminal(surroundings);
    const created = await terminal.run(leasehold.at(command(page, 'npx buf curl')));
    const token = /"token": "([^"]+)"/.exec(created)?.[1] ?? '';
    await terminal.run(
      filledIn(command(page, 'export LEASEHOLD_GATEWAY_SERVERS'), {
        'leasehold.example:50052': `localhost:${relay.split(':')[1]}`,
        'TOKEN=...': `TOKEN=${knownSecret(token)}`,
      }),
    );
    knownSecret(await reader.read('identity.json'));

    await terminal.run('cp identity.json kept.json');
    await terminal.run(command(page, 'kubectl get namespace leasehold'));
    await terminal.run(command(page, 'docker build'));
    await terminal.run(command(page, 'kubectl apply'));
    await requireMountsExist(terminal, 'deploy/gateway/agent.yaml');
    for (const file of ['dynamic', 'static', 'static-revocable']) {
      const manifest = `deploy/gateway/${file}.yaml`;
      await terminal.run(command(manifest, file === 'static-revocable' ? 'kubectl apply' : 'kubectl get'));
    }

    const cluster = new KubeConfig();
    cluster.loadFromFile(surroundings['KUBECONFIG'] ?? '');
    await reader.write('ca.crt', Buffer.from(cluster.getCurrentCluster()?.caData ?? '', 'base64').toString());
    const account = await terminal.run('kubectl create token leasehold-gateway --namespace leasehold');
    await reader.write('token', knownSecret(account.trim()));
    const agent = reader.terminal({
      LEASEHOLD_GATEWAY_SERVERS: `localhost:${relay.split(':')[1]}`,
      LEASEHOLD_GATEWAY_SERVER_CA: 'server-ca.pem',
      LEASEHOLD_GATEWAY_IDENTITY: 'kept.json',
      LEASEHOLD_GATEWAY_API_SERVER: cluster.getCurrentCluster()?.server ?? '',
      LEASEHOLD_GATEWAY_TOKEN_FILE: 'token',
      LEASEHOLD_GATEWAY_CA_FILE: 'ca.crt',
    });
    await agent.start(command(page, 'npm run gateway'), /"msg":"attached"/);
    keepLines(await agent.interrupt());
  });

  test('deploy/kubernetes', async () => {
    const page = 'deploy/kubernetes/README.md';
    const { cert, key } = await (await makeCa()).issue(['leasehold.leasehold.svc']);
    await reader.write('server.pem', cert);
    await reader.write('server-key.pem', knownSecret(key));
    await reader.write('callers.yaml', await reader.read('security/callers.yaml'));
    const terminal = reader.terminal(surroundings);
    await reader.write('keyring.yaml', await keyringOfPage(terminal));
    await terminal.run(command(page, 'docker build'));
    await terminal.run(command(page, 'kubectl get namespace leasehold'));
    await terminal.run(command(page, 'kubectl apply'));
    await requireMountsExist(terminal, 'deploy/kubernetes/leasehold.yaml');
  });

  test('each manifest leaves the namespace that they share as the others want it', async () => {
    const terminal = reader.terminal(surroundings);
    const manifests = pages().filter((page) => page.startsWith('deploy/') && /^kind: Namespace$/m.test(pageText(page)));
    expect(manifests.length).toBeGreaterThan(2);
    for (const manifest of manifests) {
      await terminal.run(`kubectl apply -f ${manifest}`);
      const labels = await terminal.run('kubectl get namespace leasehold -o jsonpath={.metadata.labels}');
      expect(labels, manifest).toContain('"pod-security.kubernetes.io/enforce":"restricted"');
    }
  });

  test('docker-compose.yml, with a docker that only writes down what it is called with', async () => {
    const before = (await reader.dockerCalls()).length;
    const terminal = reader.terminal();
    await terminal.run(command('docker-compose.yml', 'export LEASEHOLD_SEAL_KEY'));
    await terminal.run(command('docker-compose.yml', 'export LEASEHOLD_ALLOWED_NETWORKS'));
    await terminal.run(command('docker-compose.yml', 'mkdir -p ~/.kube'));
    const environment = variablesIn(await terminal.run('env'));
    knownSecret(environment['LEASEHOLD_SEAL_KEY'] ?? '');
    const file = readComposeFile(environment);

    const calls = await reader.dockerCalls();
    expect(calls.length - before).toBe(3);
    for (const call of calls) {
      requireKnownDockerCall(call, file);
    }
    const { server, worker } = file.services;
    const paths = readSettings(settingsIn(server?.environment));
    for (const path of [paths.LEASEHOLD_TLS_CERT, paths.LEASEHOLD_TLS_KEY, paths.LEASEHOLD_CALLERS]) {
      await reader.read((path ?? '').replace('/etc/leasehold', 'security'));
    }
    expect(server?.volumes).toEqual(['./security:/etc/leasehold:ro']);
    expect(readSettings(settingsIn(worker?.environment)).LEASEHOLD_ALLOWED_NETWORKS).toBeDefined();
  });

  test('Ctrl-C in the terminal of the demo, which ends all that it started', async () => {
    expect(await demo.interrupt()).not.toContain('"demo":"failed"');
    for (const [host = '', port = ''] of served.map((address) => address.split(':'))) {
      await expect(once(connect(Number(port), host), 'connect')).rejects.toThrow('ECONNREFUSED');
    }
  });
});

describe('the pages', () => {
  test('tell to type nothing that is typed nowhere', () => {
    expect(typedNowhere()).toEqual([]);
  });

  const notTyped = Object.entries(NOT_TYPED).map(([text, why]) => [text.split('  ')[0], why, text] as const);
  test.each(notTyped)('have `%s`, which is not typed here: %s', (_, __, text) => {
    expect(COMMANDS.map((one) => one.text)).toContain(text);
  });

  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(pageText('package.json')));
  const projects = z.array(z.object({ test: z.object({ name: z.string() }) })).parse(vitestConfig.test?.projects);
  const named = COMMANDS.flatMap(({ text }) =>
    [...text.matchAll(/\bnpm (?:run (?:-s )?)?([\w:]+)/g)].map(([, name]) => name),
  );
  test.each([...new Set(named)].filter((name) => name !== 'ci'))(
    'name npm script %s, which starts what is there',
    (name) => {
      const script = scripts[name ?? ''] ?? expect.fail(`package.json has no script ${name}`);
      for (const [, file = ''] of script.matchAll(/(?:node |=\.\/)([\w/.-]+\.ts)/g)) {
        expect(existsSync(join(ROOT, file)), file).toBe(true);
      }
      for (const [, project] of script.matchAll(/--project=!?(\w+)/g)) {
        expect(projects.map(({ test }) => test.name)).toContain(project);
      }
    },
  );
});

interface Leasehold extends AsyncDisposable {
  address: string;
  /** A command for this server: at its port. */
  at(text: string): string;
}

const SERVING = /"address":"([^"]+)","msg":"serving"/;
const WORKING = /"msg":"working"/;

/** The README's ways to start, and what each shows once it runs. */
const BOTH = [['npm start', [SERVING, WORKING]]] as const;
const ONE_EACH = [
  ['npm run server', [SERVING]],
  ['npm run worker', [WORKING]],
] as const;

/** Starts server and worker as the README says, where `settings` were typed before. */
async function startLeasehold(ways: typeof BOTH | typeof ONE_EACH, settings = ''): Promise<Leasehold> {
  const start = filledIn(command('README.md', 'export LEASEHOLD_TLS_CERT'), { '10.0.0.0/8': TEST_NETWORKS });
  const terminals: Terminal[] = [];
  const shown: string[] = [];
  for (const [way, shows] of ways) {
    expect(start).toContain(way);
    const terminal = reader.terminal(surroundings);
    terminals.push(terminal);
    await terminal.run(settings);
    shown.push(await terminal.start(start.replace('npm start', way), ...shows));
  }
  const address = SERVING.exec(shown.join(''))?.[1] ?? '';
  return {
    address,
    at: (text) => filledIn(text, { 'localhost:50051': `localhost:${address.split(':')[1]}` }),
    async [Symbol.asyncDispose]() {
      for (const terminal of terminals) {
        keepLines(await terminal.interrupt());
      }
    },
  };
}

/** For the search for secrets: the lines of a log among what a terminal shows. */
function keepLines(shown: string): void {
  for (const [line] of shown.matchAll(/\{.*\}\n/g)) {
    keepEvidence('logs', line);
  }
}

function shownAs(label: string, shown: string): string {
  return new RegExp(`^ +${label} +(\\S+)$`, 'm').exec(shown)?.[1] ?? expect.fail(`the demo shows no ${label}`);
}

/** Runs the health check of the server's container. */
async function requireHealthy(address: string): Promise<void> {
  const { server } = readComposeFile({ LEASEHOLD_SEAL_KEY: 'any' }).services;
  const [, node, ...args] = server?.healthcheck?.test ?? [];
  expect(node).toBe('node');
  const atPort = args.map((arg) => arg.replace('127.0.0.1:50051', address));
  await promisify(execFile)(process.execPath, atPort, { cwd: reader.checkout });
}

/** What the pods of a manifest mount is there. */
async function requireMountsExist(terminal: Terminal, page: string): Promise<void> {
  const objects = mountedObjects(page);
  expect(objects.length).toBeGreaterThan(0);
  for (const object of objects) {
    await terminal.run(`kubectl get ${object} --namespace leasehold`);
  }
}

/** The file of docs/keys.md, each key made as it says there. */
async function keyringOfPage(terminal: Terminal): Promise<string> {
  const file = /```yaml\n([\s\S]*?)```/.exec(pageText('docs/keys.md'))?.[1] ?? '';
  const make = command('docs/keys.md', 'openssl rand');
  const parts = file.split('key: ...');
  const keys = await parts.slice(1).reduce<Promise<string[]>>(async (made, _) => {
    return [...(await made), knownSecret((await terminal.run(make)).trim())];
  }, Promise.resolve([]));
  return parts.map((part, index) => `${index === 0 ? '' : `key: "${keys[index - 1]}"`}${part}`).join('');
}

function variablesIn(shown: string): Record<string, string> {
  return Object.fromEntries([...shown.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
}

/** Settings of Leasehold, without those of OpenTelemetry, and without what is not set. */
function settingsIn(environment: Record<string, string | null> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith('OTEL_') || value === null ? [] : [[name, value] as const],
    ),
  );
}
