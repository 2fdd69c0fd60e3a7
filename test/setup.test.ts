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

  test.each(['environment', '.env'])('asks for no Redis where the %s names one', async (where) => {
    const path = pathWith({ 'apt-get': note('apt-get'), brew: note('brew') });
    const cwd = newDirectory('cwd-');
    if (where === '.env') writeFileSync(join(cwd, '.env'), 'REDIS_URL=redis://localhost\n');
    const env = { PATH: path, ...(where === 'environment' && { REDIS_URL: 'redis://localhost' }) };
    const run = startProcess({ cwd, command: ['node', script, 'redis'], env });
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(run.printed() + calls(path)).toBe('');
  });

  test('gets Redis by apt, as root or by sudo', async () => {
    const apt = `${note('apt-get')}\ncase "$*" in *install*) echo '' > "\${0%/*}/redis-server"; /bin/chmod +x "\${0%/*}/redis-server";; esac`;
    const env = `while [ "\${1#*=}" != "$1" ]; do shift; done; exec "$@"`;
    const path = pathWith({ 'apt-get': apt, env, sudo: `${note('sudo')}; exec "$@"` });
    const { code, calls } = await setUp(path, ['redis']);
    expect(code).toBe(0);
    expect(calls).toMatch(/^apt-get .*update$/m);
    expect(calls).toMatch(/^apt-get .*install --yes --no-install-recommends redis-server$/m);
    expect(calls.includes('sudo ')).toBe(process.getuid?.() !== 0);
  });

  test('gets Redis by brew', async () => {
    const brew = `${note('brew')}\necho '' > "\${0%/*}/redis-server"; /bin/chmod +x "\${0%/*}/redis-server"`;
    const path = pathWith({ brew });
    const { code, calls } = await setUp(path, ['redis']);
    expect(code).toBe(0);
    expect(calls).toBe('brew install redis\n');
  });

  test.each([
    ['redis', /^latchkey: could not get Redis\. Install redis-server .* or set REDIS_URL\.$/m],
    ['chromium', /^latchkey: could not get Chromium\. Install it .* or set CHROMIUM_PATH\.$/m],
  ])('else stops with the one line that says how to get %s', async (need, line) => {
    const { code, printed } = await setUp(pathWith(), [need]);
    expect(code).toBe(1);
    expect(printed).toMatch(line);
    expect(printed).not.toContain('    at ');
  });

  test('also when what was installed is not on PATH', async () => {
    const { code, printed } = await setUp(pathWith({ brew: 'exit 0' }), ['redis']);
    expect(code).toBe(1);
    expect(printed).toMatch(/could not get Redis/);
  });
});
