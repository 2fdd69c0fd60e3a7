import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';
import { formatDuration } from '../src/http/date-format.ts';
import { coreSettings } from '../src/settings/core.ts';
import { documents, measured, pathOf, read, rowsBelow, sectionOf } from './support/documents.ts';

describe.each(documents)('%s', (document) => {
  const text = read(document);

  test('names only commands that .ci/run runs, or that stand in a file which a test reads', () => {
    const blocks = [...text.matchAll(/^```sh\n([^`]+)^```/gm)].flatMap(([, lines = '']) => lines.trim().split('\n'));
    const inline = [...text.matchAll(/`((?:\w+=\S+ )?(?:npm|openssl) [^`]+)`/g)].map(([, command = '']) => command);
    const run = read('.ci/run')
      .replaceAll(/^\s*#.*/gm, '')
      .replaceAll(/try_out \w+ /g, '');
    const known = [
      run,
      read('docker-compose.yml'),
      sectionOf('docs/running.md', 'Backup and restore'), // test/server/backup.process.test.ts runs these.
      'npm pack', // feature: session-store
    ].join('\n');
    const commands = [...blocks, ...inline].flatMap((line) => line.split(' && '));
    expect(commands.filter((command) => !isCommandIn(known, command))).toEqual([]);
  });

  test('links only to files and headings that are there', () => {
    const links = [...text.matchAll(/(?:\]\(|src(?:set)?=")((?!https?:|mailto:)[^")]+)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => {
      const [file = '', fragment] = link.split('#');
      const target = file === '' ? document : join(dirname(document), file);
      if (!existsSync(pathOf(target))) return true;
      return fragment !== undefined && !anchorsOf(target).includes(fragment);
    });
    expect(broken).toEqual([]);
  });
});

/** Whether a command stands there as a whole. CI may pass further options to an npm script, which mostly make it quicker. */
function isCommandIn(script: string, command: string): boolean {
  const more = command.includes(' -- ') ? ' --' : ' -- ';
  const [before = '', ...pieces] = script.split(command);
  let isAtStart = /(?:^|[\s(])$/.test(before);
  return pieces.some((after) => {
    const isWhole = isAtStart && (after.startsWith(more) || /^(?:$|\s*\n|;|\)| ?[12]?[&|>#])/.test(after));
    isAtStart = /(?:^|[\s(])$/.test(after);
    return isWhole;
  });
}

function anchorsOf(document: string): string[] {
  const headings = [...read(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('a figure without a result is an error that says which one', () => {
  expect(() => measured('memory', 'nobody')).toThrow('no result for "nobody" in bench/results/memory.md');
});

test('the README is read in a few minutes', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(121);
});

test('each dependency has its reason, and no other is named', () => {
  const named = (heading: string) =>
    rowsBelow('docs/architecture.md', heading).flatMap(([packages = '']) => packages.split(', '));
  const { dependencies, devDependencies } = JSON.parse(read('package.json'));
  expect(named('package | what it is for').sort()).toEqual(Object.keys(dependencies).sort());
  const untyped = Object.keys(devDependencies).filter((name) => !name.startsWith('@types/'));
  expect(named('development package | what it is for').sort()).toEqual(untyped.sort());
});

test('the limits of a session are documented as they are (ASVS 7.1.1, 7.1.2)', () => {
  const { sessionLimits: limits, sessionsPerAddress } = readConfig({ NODE_ENV: 'test' });
  expect(rowsBelow('docs/security.md', 'limit | default | reason').map(([limit, value]) => [limit, value])).toEqual([
    ['idle', formatDuration(limits.idleSeconds)],
    ['absolute', formatDuration(limits.absoluteSeconds)],
    ['idle, "keep me signed in"', formatDuration(limits.rememberIdleSeconds)],
    ['absolute, "keep me signed in"', formatDuration(limits.rememberAbsoluteSeconds)],
    ['sessions of an address', String(sessionsPerAddress)],
  ]);
});

test('the operator is told when the shipped files kill a process that is closing', () => {
  const [systemd, compose, kubernetes] = [
    /^TimeoutStopSec=(\d+)$/m.exec(read('deploy/systemd/latchkey@.service'))?.[1],
    /^ {4}stop_grace_period: (\d+)s$/m.exec(read('docker-compose.yml'))?.[1],
    /^ {6}terminationGracePeriodSeconds: (\d+)$/m.exec(read('deploy/kubernetes/latchkey.yaml'))?.[1],
  ];
  const deadlines = `${systemd}, ${compose} and ${kubernetes} seconds`;
  expect(read('docs/running.md').replaceAll('\n', ' ')).toContain(`kill it ${deadlines} after SIGTERM`);
  expect(coreSettings.SHUTDOWN_DELAY.about).toContain(`kill after ${deadlines}`);
});

describe('the speed is stated as it was measured:', () => {
  const versions = ['20', '22', '24'];
  const rows = rowsBelow('docs/speed.md', 'divided by | what it is | Node 20 | Node 22 | Node 24');

  test.each(rows)('%s', (peer = '', _what, ...ratios) => {
    const medians = versions.map((version) => measured(`node${version}`, peer).at(-1)?.[0]);
    expect(ratios).toEqual(medians);
  });

  test('the capacity', () => {
    const running = read('docs/running.md').replaceAll('\n', ' ');
    const [[bytes = ''] = []] = measured('memory', 'latchkey, with the index');
    const cpu = measured('node24', 'latchkey')[0]?.[3] ?? '';
    expect(running).toContain(`A session takes ${bytes} bytes of Redis with all that belongs to it`);
    expect(running).toContain(`a signed-in page ${cpu} µs of a core on Node 24`);
    expect(running).toContain(`So a GiB holds ${(2 ** 30 / Number(bytes) / 1e6).toFixed(1)} million sessions`);
    expect(running).toContain(`Ten million sessions are ${(Number(bytes) / 100).toFixed(1)} GB`);
  });
});
