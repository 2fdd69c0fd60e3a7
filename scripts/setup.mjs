// Gets what a fresh machine lacks: `node scripts/setup.mjs redis chromium nginx`, or `node scripts/setup.mjs for-tests`.
// Prints nothing and takes next to no time when everything is there. Installs nothing in production,
// and no Redis where REDIS_URL names one.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { loadEnvFile } from './env-file/load.mjs';

await loadEnvFile();

const redisPrograms = ['redis-server', 'valkey-server'];
const chromiumPrograms = ['chromium', 'chromium-browser', 'google-chrome'];
/**
 * What the tests of deploy/ run: the programs, and the packages that bring them.
 * @type {Record<string, string>}
 */
const tools = {
  nginx: 'nginx',
  caddy: 'caddy',
  haproxy: 'haproxy',
  promtool: 'prometheus', // feature: metrics
  'fail2ban-regex': 'fail2ban', // feature: incidents
  'systemd-analyze': 'systemd',
  buildah: 'buildah',
  debootstrap: 'debootstrap',
};
/** What `for-tests` stands for: all that `npm test` runs. */
const forTests = [
  'redis',
  'chromium',
  'nginx',
  'caddy',
  'haproxy',
  'systemd-analyze',
  'fail2ban-regex', // feature: incidents
  'promtool', // feature: metrics
];

/** @param {string} program */
function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param {string} command @param {string[]} args */
function run(command, args) {
  console.log(`latchkey: ${[command, ...args].join(' ')}`);
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0;
}

/** @param {string} command @param {...string} args */
function outputOf(command, ...args) {
  return spawnSync(command, args, { encoding: 'utf8' }).stdout ?? '';
}

/**
 * @param {string} name the Debian package
 * @param {string} [extra] one that not every system has
 */
function aptInstall(name, extra) {
  if (!onPath('apt-get')) return false;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo'];
  if (asRoot.length > 0 && !onPath('sudo')) return false;
  // In runlevel 1 no package starts its service.
  const env = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1'];
  /** @param {string[]} args */
  const apt = (args) => {
    const [command = '', ...rest] = [...asRoot, ...env, 'apt-get', '-qq', '-o', 'Dpkg::Use-Pty=0', ...args];
    return run(command, rest);
  };
  /** @param {string} each */
  const install = (each) => apt(['install', '--yes', '--no-install-recommends', each]);
  const isInstalled = (apt(['update']) && install(name)) || install(name);
  if (isInstalled && extra) install(extra);
  return isInstalled;
}

/** @param {string} message */
function stop(message) {
  console.error(`latchkey: ${message}`);
  process.exit(1);
}

function getRedis() {
  if (process.env.REDIS_URL) return;
  const findRedis = () => redisPrograms.find(onPath);
  const program = findRedis() ?? (installRedis() && findRedis());
  if (!program) {
    return stop('could not get Redis. Install redis-server or valkey-server so that it is on PATH, or set REDIS_URL.');
  }
  // Ubuntu 22.04 and Debian 11 bring 6.0, which lacks commands that sign-in needs. Every Valkey has them.
  const [, version, major] = /^Redis server v=((\d+)\S*)/.exec(outputOf(program, '--version')) ?? [];
  if (Number(major) < 7) {
    stop(
      `${program} is ${version}, too old: put Redis 7.0 or newer (redis.io/downloads) in its place, or set REDIS_URL.`,
    );
  }
}

function installRedis() {
  console.log('latchkey: no redis-server on this machine; getting one (set REDIS_URL to use your own instead)');
  return aptInstall('redis-server') || (onPath('brew') && run('brew', ['install', 'redis']));
}

// Ubuntu's `chromium` package is an empty door to a snap, so apt serves Debian alone and
// Playwright's own download serves every other system.
async function getChromium() {
  // By a program, since a test can put another on PATH.
  const isDebian = () => /^ID=debian$/m.test(outputOf('cat', '/etc/os-release'));
  const { chromium } = await import('playwright-core');
  const isThere = () => chromiumPrograms.some(onPath) || existsSync(chromium.executablePath());
  if (process.env.CHROMIUM_PATH || isThere()) return;
  console.log('latchkey: no Chromium on this machine; getting one for the browser tests');
  const installed =
    // Most browser tests need nothing but the headless shell, which takes a third less processor time.
    (isDebian() && aptInstall('chromium', 'chromium-headless-shell')) ||
    (onPath('npx') && run('npx', ['playwright-core', 'install', '--with-deps', 'chromium']));
  if (installed && isThere()) return;
  stop('could not get Chromium. Install it so that `chromium` is on PATH, or set CHROMIUM_PATH.');
}

/** @param {string} program */
function getTool(program) {
  const name = tools[program] ?? program;
  // Debian keeps servers where not everybody's PATH leads.
  const isThere = () => onPath(program) || existsSync(`/usr/sbin/${program}`);
  if (isThere()) return;
  console.log(`latchkey: no ${program} on this machine; getting one for the tests`);
  const installed = withoutService(name, () => aptInstall(name)) || (onPath('brew') && run('brew', ['install', name]));
  if (installed && isThere()) return;
  stop(`could not get ${program}. Install it so that \`${program}\` is on PATH; no service of it needs to run.`);
}

/**
 * Keeps the service of a package from being started, now and when the machine starts: it would take ports 80 and 443.
 * @param {string} name @param {() => boolean} install
 */
function withoutService(name, install) {
  if (!onPath('systemctl') || /^offline/.test(outputOf('systemctl', 'is-system-running'))) return install();
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo'];
  /** @param {...string} args */
  const systemctl = (...args) => {
    const [command = '', ...rest] = [...asRoot, 'systemctl', '--quiet', ...args];
    return run(command, rest);
  };
  systemctl('mask', '--runtime', name);
  const installed = install();
  systemctl('unmask', '--runtime', name);
  if (installed) systemctl('disable', name);
  return installed;
}

if (process.env.NODE_ENV !== 'production') {
  for (const need of process.argv.slice(2).flatMap((name) => (name === 'for-tests' ? forTests : [name]))) {
    if (need === 'redis') getRedis();
    else if (need === 'chromium') await getChromium();
    // There is no systemd to get for other systems.
    else if (need === 'systemd-analyze' && process.platform !== 'linux') continue;
    else if (need in tools) getTool(need);
    else stop(`setup.mjs knows for-tests, redis, chromium, ${Object.keys(tools).join(', ')}, not "${need}"`);
  }
}
