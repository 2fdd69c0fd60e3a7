import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig, settings } from '../src/config.ts';
import {
  compose,
  type Instruction,
  imageEnvironment,
  only,
  operator,
  project,
  read,
  stages,
} from './support/docker.ts';
import { freePort, newDirectory, startProcess, startServer } from './support/process.ts';
import { startRedisServer } from './support/redis-server.ts';
import { Visitor } from './support/visitor.ts';

// There may be no Docker where this runs. So the files are held to what they promise, and the steps of the
// Dockerfile are carried out in directories, each of which stands for the `/app` of one stage.

describe('docker-compose.yml', () => {
  const services = compose(operator).services;
  const { app, redis } = services;

  test('rotates the log of every service', () => {
    for (const { logging } of Object.values<{ logging?: unknown }>(services)) {
      expect(logging).toEqual({
        driver: 'json-file',
        options: { 'max-size': expect.stringMatching(/^\d+m$/), 'max-file': expect.stringMatching(/^\d$/) },
      });
    }
  });

  test('starts nothing without secrets, and says how to make them', () => {
    for (const name of ['SESSION_SECRET', 'REDIS_PASSWORD'] as const) {
      expect(() => compose({ ...operator, [name]: '' })).toThrow(`${name}: make one with openssl rand -hex 32`);
    }
  });

  test('gives the app settings that it has, and with which it starts', () => {
    // The image says where to listen.
    const passed = [...Object.keys(app.environment), 'NODE_ENV', 'HOST', 'PORT'];
    expect(passed.sort()).toEqual(Object.keys(settings).sort());
    const { signIn, origin } = readConfig({ ...imageEnvironment(), ...app.environment });
    expect({ signIn, origin }).toEqual({ signIn: 'trust', origin: 'http://localhost:3000' });
  });

  test('lets the app wait for a Redis that answers, and stop in order', () => {
    expect(app.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
    expect(Number.parseInt(app.stop_grace_period, 10)).toBeGreaterThan(10);
  });

  test('opens the app to this machine alone, and Redis to nobody', () => {
    expect(app.ports).toEqual(['127.0.0.1:3000:3000']);
    const several = compose({ ...operator, PORTS: '3000-3002' }).services.app;
    expect(several.ports).toEqual(['127.0.0.1:3000-3002:3000']);
    expect(redis.ports).toBeUndefined();
  });

  test('takes from each what it does not need', () => {
    for (const service of Object.values(services)) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    }
    expect(app).toMatchObject({ init: true, tmpfs: ['/tmp'] });
  });

  test('keeps the sessions of Redis, and evicts none', () => {
    const command = redis.command.join(' ');
    expect(command).toContain('--appendonly yes');
    expect(command).toContain('--maxmemory-policy noeviction');
    expect(redis.volumes).toEqual(['redis-data:/data']);
    expect(compose(operator).volumes).toHaveProperty('redis-data');
  });
});

describe('the image', () => {
  test('runs on an LTS release, as a user without rights, with a server that gets the signals', () => {
    for (const { from } of stages()) expect(from).toMatch(/^node:24-slim( AS \w+)?$/);
    expect(only('USER')).toBe('node');
    expect(JSON.parse(only('CMD'))[0]).toBe('node');
  });

  test('takes nothing from this directory but what it needs', () => {
    const lines = read('.dockerignore').trim().split('\n');
    const [first, ...exceptions] = lines.filter((line) => !line.startsWith('#'));
    const copied = stages().flatMap(({ instructions }) =>
      instructions.filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from')).flatMap(sourcesOf),
    );
    expect(first).toBe('*');
    expect(exceptions.sort()).toEqual([...new Set(copied)].map((name) => `!${name}`).sort());
  });

  test('can be built by its steps, and what it starts signs a visitor in, with the Redis of the compose file', async () => {
    const app = await buildImage();
    const files = filesIn(app);
    expect(files).not.toContain('node_modules/typescript/package.json');

    const { services } = compose(operator);
    const redis = await startRedisServer(operator.REDIS_PASSWORD, services.redis.command.slice(1));
    const { port: redisPort } = new URL(redis.url);
    const isHealthy = startProcess({
      command: services.redis.healthcheck.test.slice(1).toSpliced(1, 0, '-p', redisPort),
      env: services.redis.environment,
    });
    expect(await isHealthy.ended).toMatchObject({ code: 0 });

    const env = {
      ...imageEnvironment(),
      ...services.app.environment,
      // Here both share one network with everything else.
      PORT: String(await freePort()),
      REDIS_URL: services.app.environment.REDIS_URL.replace('redis:6379', `127.0.0.1:${redisPort}`),
    };
    const server = await startServer({ cwd: app, command: JSON.parse(only('CMD')), env });
    const visitor = new Visitor(server.url());
    await visitor.signIn('ann@example.com');
    expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');

    const check = { cwd: app, command: JSON.parse(only('HEALTHCHECK').replace(/^.*?CMD /, '')) };
    expect(await startProcess({ ...check, env }).ended).toMatchObject({ code: 0 });
    process.kill(server.pid, 'SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(await startProcess({ ...check, env }).ended).toMatchObject({ code: 1 });
    // Its file system is read-only.
    expect(filesIn(app)).toEqual(files);
  }, 180_000);
});

function sourcesOf({ rest }: Instruction): string[] {
  return rest
    .split(' ')
    .filter((word) => !word.startsWith('--'))
    .slice(0, -1);
}

/** Carries out COPY and RUN of each stage. */
async function buildImage(): Promise<string> {
  const built = new Map<string, Promise<string>>();
  const build = async ({ instructions }: ReturnType<typeof stages>[number]): Promise<string> => {
    const app = newDirectory('image-');
    for (const instruction of instructions) {
      if (instruction.name === 'COPY') await copy(instruction, app);
      if (instruction.name === 'RUN') await runInImage(instruction.rest, app);
    }
    return app;
  };
  const copy = async (instruction: Instruction, app: string): Promise<void> => {
    const [, stage] = /--from=(\w+)/.exec(instruction.rest) ?? [];
    const context = stage === undefined ? project : await built.get(stage);
    const destination = join(app, instruction.rest.split(' ').at(-1) ?? '');
    for (const source of sourcesOf(instruction)) {
      const from = join(context ?? '', relative('/app', join('/app', source.replace(/^\/app\//, ''))));
      const to = instruction.rest.endsWith('/') ? join(destination, source) : destination;
      mkdirSync(dirname(to), { recursive: true });
      cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    }
  };
  for (const stage of stages()) built.set(/ AS (\w+)$/.exec(stage.from)?.[1] ?? '', build(stage));
  await Promise.all(built.values());
  return (await built.get('')) ?? '';
}

async function runInImage(command: string, app: string): Promise<void> {
  // What `npm ci` has fetched for this directory is not fetched again.
  const env = { npm_config_prefer_offline: 'true' };
  const run = startProcess({ cwd: app, command: ['sh', '-c', command], env });
  const { code } = await run.ended;
  if (code !== 0) throw new Error(`${command} ended with code ${code}:\n${run.printed()}`);
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true }).map(String).sort();
}
