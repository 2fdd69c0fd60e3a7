import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { newDirectory, startProcess } from './support/process.ts';

const script = fileURLToPath(new URL('../scripts/setup.mjs', import.meta.url));

/** A directory for PATH, where only Node and these are; each programme is a few lines of shell. */
function pathWith(programs: Record<string, string> = {}): string {
  const path = newDirectory('path-');
  symlinkSync(process.execPath, join(path, 'node'));
  for (const [name, lines] of Object.entries(programs)) addProgram(path, name, lines);
  return path;
}

function addProgram(path: string, name: string, lines: string): void {
  writeFileSync(join(path, name), `#!/bin/sh\n${lines}\n`);
  chmodSync(join(path, name), 0o755);
}

// Writes down that it was called, and how.
const note = (name: string) => `echo "${name} $*" >> "\${0%/*}/called"`;

const executable = (file: string, prints = '') =>
  `printf '#!/bin/sh\\necho "${prints}"\\n' > "${file}"; /bin/chmod +x "${file}"`;

/** Puts this program where it is itself. */
const brings = (name: string, prints?: string) => executable(`\${0%/*}/${name}`, prints);

// Each finds the program behind it as the real one does.
const forwarding = {
  env: `while [ "\${1#*=}" != "$1" ]; do shift; done; exec "$@"`,
  sudo: `${note('sudo')}; exec "$@"`,
};

/** An apt that has one package, of one program. */
const aptWith = (name: string, prints?: string) => ({
  ...forwarding,
  'apt-get': `${note('apt-get')}\ncase "$*" in *update) ;; *" ${name}") ${brings(name, prints)};; *) exit 100;; esac`,
});

const system = (id: string) => ({ cat: `[ "$*" = /etc/os-release ] && echo "NAME=Some\nID=${id}"` });

const redis6 = 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=a3fdef44459b3ad6';

function calls(path: string): string {
  return existsSync(join(path, 'called')) ? readFileSync(join(path, 'called'), 'utf8') : '';
}

async function setUp(path: string, needs: string[], env: Record<string, string> = {}) {
  const noBrowsers = { PLAYWRIGHT_BROWSERS_PATH: newDirectory('browsers-') };
  const run = startProcess({ command: ['node', script, ...needs], env: { PATH: path, ...noBrowsers, ...env } });
  const { code } = await run.ended;
  return { code, printed: run.printed(), calls: calls(path) };
}

describe('setup.mjs', () => {
  test('says nothing and does nothing where all is there', async () => {
    const path = pathWith({ 'redis-server': '', chromium: '', 'apt-get': note('apt-get'), brew: note('brew') });
    expect(await setUp(path, ['redis', 'chromium'])).toEqual({ code: 0, printed: '', calls: '' });
    expect(await setUp(pathWith({ 'valkey-server': '' }), ['redis'])).toMatchObject({ code: 0, printed: '' });
  });

  test('installs nothing in production', async () => {
    const path = pathWith({ 'apt-get': note('apt-get'), sudo: note('sudo'), brew: note('brew') });
    const result = await setUp(path, ['redis', 'chromium'], { NODE_ENV: 'production' });
    expect(result).toEqual({ code: 0, printed: '', calls: '' });
  });

  test('asks for no Redis where REDIS_URL names one', async () => {
    const path = pathWith({ 'apt-get': note('apt-get'), brew: note('brew') });
    const result = await setUp(path, ['redis'], { REDIS_URL: 'redis://localhost' });
    expect(result).toEqual({ code: 0, printed: '', calls: '' });
  });

  test.each([
    ['redis', 'redis-server', []],
    ['chromium', 'chromium', [expect.stringMatching(/ --no-install-recommends chromium-headless-shell$/)]],
    ['caddy', 'caddy', []],
  ])(
    'gets %s by apt, as root or by sudo, and does without what only newer systems have',
    async (need, debianPackage, extras) => {
      const path = pathWith({ ...aptWith(debianPackage), ...system('debian'), npx: note('npx'), brew: note('brew') });
      const { code, calls } = await setUp(path, [need]);
      expect(code).toBe(0);
      const apt = calls.split('\n').filter((line) => line.startsWith('apt-get '));
      expect(apt).toEqual([
        expect.stringMatching(/ update$/),
        expect.stringMatching(` install --yes --no-install-recommends ${debianPackage}$`),
        ...extras,
      ]);
      expect(calls.includes('sudo ')).toBe(process.getuid?.() !== 0);
      expect(calls).not.toMatch(/^(npx|brew) /m);
    },
  );

  test('gets all that the tests run, and nothing else', async () => {
    const present = [
      'redis-server',
      'chromium',
      'nginx',
      'haproxy',
      'systemd-analyze',
      'fail2ban-regex', // feature: incidents
      'promtool', // feature: metrics
    ];
    const programs = Object.fromEntries(present.map((name) => [name, '']));
    const { code, calls } = await setUp(pathWith({ ...programs, ...aptWith('caddy') }), ['for-tests']);
    expect(code).toBe(0);
    expect(calls.match(/ install .*/g)).toEqual([expect.stringMatching(/ caddy$/)]);
  });

  test('keeps the service of a proxy from being started, now and later', async () => {
    const systemctl = `${note('systemctl')}; [ "$1" = is-system-running ] && echo running`;
    const { code, calls } = await setUp(pathWith({ ...aptWith('caddy'), systemctl }), ['caddy']);
    expect(code).toBe(0);
    const steps = calls
      .split('\n')
      .filter((line) => /^(systemctl|apt-get) /.test(line) && !/is-system-running| update$/.test(line));
    expect(steps).toEqual([
      'systemctl --quiet mask --runtime caddy',
      expect.stringMatching(/ install .* caddy$/),
      'systemctl --quiet unmask --runtime caddy',
      'systemctl --quiet disable caddy',
    ]);
  });

  test('gets Redis by brew', async () => {
    const { code, calls } = await setUp(pathWith({ brew: `${note('brew')}\n${brings('redis-server')}` }), ['redis']);
    expect(code).toBe(0);
    expect(calls).toBe('brew install redis\n');
  });

  test.each([
    ['on Ubuntu, whose package is an empty door to a snap', { ...aptWith('chromium'), ...system('ubuntu') }],
    ['on Debian without apt', system('debian')],
    ['on macOS', { brew: note('brew') }],
  ])("gets chromium by Playwright's download %s", async (_where, programs) => {
    const playwright = import.meta.resolve('playwright-core');
    const whereItLooks = `import { chromium } from '${playwright}'; console.log(chromium.executablePath())`;
    const download = `file=$(node --input-type=module --eval "${whereItLooks}"); /bin/mkdir -p "\${file%/*}"`;
    const npx = `${note('npx')}\n${download}; ${executable('$file')}`;
    const { code, calls } = await setUp(pathWith({ ...programs, npx }), ['chromium']);
    expect(code).toBe(0);
    expect(calls).toBe('npx playwright-core install --with-deps chromium\n');
  });

  test.each([
    ['is there', { 'redis-server': `echo "${redis6}"` }],
    ['is there beside a Valkey, which would not be taken', { 'redis-server': `echo "${redis6}"`, 'valkey-server': '' }],
    ['apt brings', aptWith('redis-server', redis6)],
  ])('stops with one line that says what to do where the Redis that %s is older than 7.0', async (_, programs) => {
    const { code, printed } = await setUp(pathWith(programs), ['redis']);
    expect(code).toBe(1);
    expect(printed.trim().split('\n').at(-1)).toBe(
      'latchkey: redis-server is 6.0.16, too old: put Redis 7.0 or newer (redis.io/downloads) in its place, or set REDIS_URL.',
    );
  });

  test.each([
    ['redis-server', 'Redis server v=7.0.0 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=0'],
    ['redis-server', 'Redis server v=10.1.2 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0'],
    ['redis-server', 'Valkey server v=1.0.0 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0'],
    ['valkey-server', 'Valkey server v=1.0.0 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0'],
  ])('takes a %s that is %s', async (program, version) => {
    const result = await setUp(pathWith({ [program]: `echo "${version}"` }), ['redis']);
    expect(result).toMatchObject({ code: 0, printed: '' });
  });

  test.each([
    ['redis', /^latchkey: could not get Redis\. Install redis-server .* or set REDIS_URL\.$/m],
    ['chromium', /^latchkey: could not get Chromium\. Install it .* or set CHROMIUM_PATH\.$/m],
    ['caddy', /^latchkey: could not get caddy\. Install it so that `caddy` is on PATH; .*\.$/m],
  ])('else stops with the one line that says how to get %s', async (need, line) => {
    const { code, printed } = await setUp(pathWith(), [need]);
    expect(code).toBe(1);
    expect(printed).toMatch(line);
    expect(printed).not.toContain('    at ');
  });

  test.each([
    ['redis', /could not get Redis/],
    ['chromium', /could not get Chromium/],
  ])('also when %s was installed, but is not where it is looked for', async (need, line) => {
    const { code, printed } = await setUp(pathWith({ brew: 'exit 0', npx: 'exit 0' }), [need]);
    expect(code).toBe(1);
    expect(printed).toMatch(line);
  });
});
