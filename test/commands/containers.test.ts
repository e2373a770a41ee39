import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, stat, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { dockerStages, readComposeFile } from './docker.ts';
import { pageText, ROOT } from './documented.ts';

// Dockerfile and docker-compose.yml, without a Docker engine: what the image would hold runs, and what the services name
// is there.

const run = promisify(execFile);
const folder = await makeTempFolder('containers');
afterAll(() => folder.remove());

const stages = dockerStages();
const stage = (name: string | undefined) => stages.find((one) => one.name === name) ?? expect.fail(`no stage ${name}`);

/** Lays out what a stage copies from the checkout and from other stages, with the packages that are installed here. */
async function layOut(name: string | undefined): Promise<string> {
  const app = join(folder.path, name ?? 'last');
  await mkdir(app, { recursive: true });
  for (const { from, sources, target } of stage(name).copies) {
    for (const source of sources) {
      const path = source.replace('/app/', '');
      if (path === 'node_modules') {
        continue;
      }
      const isFolder = (await stat(join(ROOT, path))).isDirectory();
      // As COPY does: a folder's content goes to the target; a file into it, where that ends with a slash.
      const to = isFolder || !target.endsWith('/') ? join(app, target) : join(app, target, basename(path));
      const isLeftOut = (file: string) => from === undefined && file.startsWith(join(ROOT, 'src/gen'));
      await cp(join(ROOT, path), to, { recursive: true, filter: (file) => !isLeftOut(file) });
    }
  }
  await symlink(join(ROOT, 'node_modules'), join(app, 'node_modules'));
  return app;
}

test('npm generates all code from what the first stage copies', { timeout: 600_000 }, async () => {
  const app = await layOut('dependencies');
  await run('npm', ['run', 'generate'], { cwd: app });
  const generated = (at: string) => readdir(join(at, 'src/gen'), { recursive: true });
  expect((await generated(app)).sort()).toEqual((await generated(ROOT)).sort());
});

test.each([
  ['gateway', 'gateway', 'LEASEHOLD_GATEWAY_SERVERS'],
  ['server and worker', undefined, 'LEASEHOLD_'],
])('the image of %s holds all that its command imports', { timeout: 600_000 }, async (_, name, setting) => {
  const app = await layOut(name);
  const command = stage(name).command ?? expect.fail('a stage without a command');
  // Without settings it ends, and names one that is missing.
  await expect(run(process.execPath, command, { cwd: app, env: {} })).rejects.toMatchObject({
    stdout: expect.stringContaining(setting),
    stderr: '',
  });
});

test('what the stages copy may enter the image, from a stage that comes before', () => {
  const allowed = pageText('.dockerignore')
    .split('\n')
    .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
  for (const [index, { copies }] of stages.entries()) {
    for (const { from, sources } of copies) {
      const earlier = stages.slice(0, index).map(({ name }) => name);
      const isThere =
        from === undefined
          ? sources.every((path) => allowed.some((entry) => path === entry || path.startsWith(`${entry}/`)))
          : earlier.includes(from);
      expect(isThere, `${from ?? 'the checkout'}: ${sources.join(' ')}`).toBe(true);
    }
  }
});

test('the services of docker-compose.yml name what there is', async () => {
  const { services, networks, volumes } = readComposeFile({ LEASEHOLD_SEAL_KEY: 'any' });
  for (const service of Object.values(services)) {
    expect(Object.keys(services)).toEqual(expect.arrayContaining(service.depends_on));
    expect(['default', ...Object.keys(networks)]).toEqual(expect.arrayContaining(service.networks));
    for (const [source = ''] of service.volumes.map((volume) => volume.split(':'))) {
      // The reader makes the folder `security`: commands.test.ts.
      const isThere = source.startsWith('./deploy') ? (await stat(join(ROOT, source))).isFile() : source in volumes;
      expect(isThere || source === './security', source).toBe(true);
    }
    for (const path of service.build ? service.command : []) {
      expect((await stat(join(ROOT, path))).isFile()).toBe(true);
    }
  }
});
