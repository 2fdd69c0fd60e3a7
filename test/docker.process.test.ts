import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig, settings } from '../src/config.ts';
import { compose, type Instruction, imageEnvironment, only, operator, read, stages } from './support/docker.ts';
import { freePort, newDirectory, startProcess, startServer } from './support/process.ts';
import { startRedisServer } from './support/redis-server.ts';
import { Visitor } from './support/visitor.ts';

// `npm run test:image` builds the image. Here, its files are held to what they promise.

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

  test.each(['a new', 'a readable'])(
    'says how to keep both secrets in %s .env, for nobody else to read, and once',
    async (kind) => {
      const [, commands = ''] = /(touch[\s\S]+?)\n# {3}SIGN_IN/.exec(read('docker-compose.yml')) ?? [];
      const directory = newDirectory('secrets-');
      if (kind === 'a readable') writeFileSync(join(directory, '.env'), '', { mode: 0o644 });
      // Not every machine that runs the tests has openssl.
      const openssl = `openssl() { echo ${'0123456789abcdef'.repeat(4)}; }\n`;
      for (let time = 1; time <= 2; time += 1) {
        execFileSync('sh', ['-ec', openssl + commands.replaceAll('\n#', '\n')], { cwd: directory });
      }
      const file = join(directory, '.env');
      expect(readFileSync(file, 'utf8')).toMatch(/^SESSION_SECRET=[\da-f]{64}\nREDIS_PASSWORD=[\da-f]{64}\n$/);
      expect(statSync(file).mode & 0o077).toBe(0);
    },
  );

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
    const several = compose({ ...operator, PORTS: '3000-3002', PROCESSES: '3' }).services.app;
    expect([several.ports, several.scale]).toEqual([['127.0.0.1:3000-3002:3000'], '3']);
    expect(app.scale).toBe('1');
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

  test('starts with the settings and the Redis of the compose file, and is healthy until it is stopped', async () => {
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
    const server = await startServer({ env });
    const visitor = new Visitor(server.url());
    await visitor.signIn('ann@example.com');
    expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');

    const check = { command: JSON.parse(only('HEALTHCHECK').replace(/^.*?CMD /, '')), env };
    expect(await startProcess(check).ended).toMatchObject({ code: 0 });
    process.kill(server.pid, 'SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(await startProcess(check).ended).toMatchObject({ code: 1 });
  });
});

function sourcesOf({ rest }: Instruction): string[] {
  return rest
    .split(' ')
    .filter((word) => !word.startsWith('--'))
    .slice(0, -1);
}
