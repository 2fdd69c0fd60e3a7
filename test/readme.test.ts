import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readConfig, settings } from '../src/config.ts';
import { rateLimits } from '../src/features/email-code/rate-limits.ts';
import { measure } from '../src/features/metrics/metrics.ts';
import { formatDuration } from '../src/http/date-format.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const read = (name: string) => readFileSync(pathOf(name), 'utf8');
const readme = read('README.md');
const config = readConfig({ NODE_ENV: 'test' });

/** The rows of the table that begins with this heading, each cell without its backquotes. */
function rowsBelow(heading: string): string[][] {
  const [, table = ''] = readme.replaceAll('`', '').split(`\n| ${heading} |`.replaceAll('`', ''));
  const [lines = ''] = table.split('\n\n');
  return lines
    .split('\n')
    .slice(2)
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}

test('each command in it is run by .ci/run, or stands in the Compose file, which a test reads', () => {
  const blocks = [...readme.matchAll(/^```sh\n([^`]+)^```/gm)].flatMap(([, lines = '']) => lines.trim().split('\n'));
  const inline = [...readme.matchAll(/`((?:\w+=\S+ )?(?:npm|openssl) [^`]+)`/g)].map(([, command = '']) => command);
  const commands = [...blocks, ...inline].flatMap((line) => line.split(' && '));
  expect(commands.length).toBeGreaterThan(12);
  const lines = read('.ci/run')
    .split('\n')
    .filter((line) => !/^\s*#/.test(line));
  const run = lines.join('\n').replaceAll(/try_out \w+ /g, '') + read('docker-compose.yml');
  for (const command of commands) expect(run).toContain(command);
});

test('each file that it names is there', () => {
  const names = [...readme.matchAll(/(?:\]\(|src(?:set)?=")((?!https?:|#)[^")]+)/g)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThan(8);
  expect(names.filter((name) => !existsSync(pathOf(name)))).toEqual([]);
});

test('each dependency has its reason, and no other is named', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'));
  const named = rowsBelow('package | what it is for').flatMap(([packages = '']) =>
    [...packages.matchAll(/\[([\w-]+)\]/g)].map(([, name = '']) => name),
  );
  expect(named.sort()).toEqual(Object.keys(dependencies).sort());
  const [, toDevelop = ''] = readme.split('To develop it: ');
  for (const name of Object.keys(devDependencies)) {
    const [, scope, plain] = /^(?:@([\w-]+)\/)?(.+)$/.exec(name) ?? [];
    const word = scope === 'types' ? 'types' : scope === 'biomejs' || scope === 'vitest' ? scope.slice(0, 5) : plain;
    expect(toDevelop, name).toContain(word);
  }
});

test('names only series that there are', () => {
  const names = rowsBelow('series | when').map(([series = '']) => series.replace(/\{.*|_count.*/, ''));
  const registry = measure();
  expect(names.filter((name) => !registry.getSingleMetric(name.replace('_count', '')))).toEqual([]);
});

test('names only forms of REDIS_URL that are read', () => {
  for (const [, url = ''] of rowsBelow('topology | REDIS_URL')) {
    expect(readConfig({ NODE_ENV: 'test', REDIS_URL: url }).redis).toBeDefined();
  }
});

test('names every setting, with its default', () => {
  const rows = rowsBelow('setting | default | what it is');
  expect(rows.flatMap(([names = '']) => names.split(', ')).sort()).toEqual(Object.keys(settings).sort());
  for (const [names = '', defaults = ''] of rows) {
    if (!/^[\w.]+(, [\w.]+)*$/.test(defaults) || defaults === 'everybody') continue;
    const values = names.split(', ').map((name, position) => [name, defaults.split(', ')[position]]);
    expect(readConfig({ ...Object.fromEntries(values), NODE_ENV: 'test' }), names).toEqual(config);
  }
});

test('documents the limits of a session as they are (ASVS 7.1.1, 7.1.2)', () => {
  const { sessionLimits: limits, sessionsPerAddress } = config;
  expect(rowsBelow('limit | default | reason').map(([limit, value]) => [limit, value])).toEqual([
    ['unused', formatDuration(limits.idleSeconds)],
    ['in all', formatDuration(limits.absoluteSeconds)],
    ['unused, "keep me signed in"', formatDuration(limits.rememberIdleSeconds)],
    ['in all, "keep me signed in"', formatDuration(limits.rememberAbsoluteSeconds)],
    ['sessions of an address', String(sessionsPerAddress)],
  ]);
});

/** The cells of each row that begins with this name, in a result of the bench. */
function measured(result: string, name: string): string[][] {
  const rows = read(`bench/results/${result}.md`).split('\n');
  const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
  return cells.filter(([, first]) => first === name).map((row) => row.slice(2, -1));
}

describe('states of the speed what was measured:', () => {
  const versions = ['20', '22', '24'];

  test.each(rowsBelow('divided by | what it is | Node 20 | Node 22 | Node 24'))('%s', (peer = '', _what, ...ratios) => {
    const medians = versions.map((version) => measured(`node${version}`, peer).at(-1)?.[0]?.split(' ')[0]);
    expect(ratios).toEqual(medians);
  });

  test('the capacity', () => {
    const [[bytes = ''] = []] = measured('memory', 'latchkey, with the index');
    const cpu = measured('node24', 'latchkey')[0]?.[3] ?? '';
    expect(readme).toContain(`a session takes ${bytes} bytes of Redis with all that belongs to it`);
    expect(readme).toContain(`a request ${cpu} µs of a core on\nNode 24`);
    expect(readme).toContain(`So a GiB holds ${(2 ** 30 / Number(bytes) / 1e6).toFixed(1)} million sessions`);
    expect(readme).toContain(`ten million sessions are ${(Number(bytes) / 100).toFixed(1)} GB`);
  });
});

test('documents what is counted as it is (ASVS 6.1.1)', () => {
  const words = ({ points, seconds }: { points: number; seconds: number }) =>
    `${points} in ${seconds === 600 ? '10 minutes' : seconds === 3600 ? 'an hour' : 'a day'}`;
  const { asksPerClient, guessesPerClient, mailsPerAddress, mailsPerDevice, guessesPerAddress, guessesPerDevice } =
    rateLimits;
  expect(rowsBelow('what is counted | limit').map(([, limit]) => limit)).toEqual([
    words(asksPerClient[0]),
    words(guessesPerClient[0]),
    mailsPerAddress.map(words).join(', '),
    mailsPerDevice.map(words).join(', '),
    'MAILS_PER_HOUR',
    words(guessesPerAddress),
    words(guessesPerDevice),
  ]);
});
