import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { pathOf, read } from '../support/documents.ts';
import { builtFile, newDirectory, startServer } from '../support/process.ts';
import { Visitor } from '../support/visitor.ts';

const filter = pathOf('deploy/fail2ban/filter.d/latchkey.conf');

// Built here, so that the build does not use up the first test's time limit.
builtFile('server.js');

/** Whom fail2ban would count in this log, and how many lines it has left out. */
function counted(log: string): { ips: string[]; ignored: number } {
  const file = join(newDirectory('fail2ban-'), 'latchkey.log');
  writeFileSync(file, log);
  const run = (...args: string[]) => spawnSync('fail2ban-regex', [...args, file, filter], { encoding: 'utf8' }).stdout;
  const [, ignored] = /Lines: \d+ lines, (\d+) ignored, \d+ matched/.exec(run()) ?? [];
  return { ips: run('-o', 'ip').trim().split('\n').filter(Boolean), ignored: Number(ignored) };
}

/** The same log, as Docker's `json-file` driver writes it. */
function asDockerKeepsIt(log: string): string {
  const wrap = (line: string) =>
    JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: '2026-11-27T03:04:05.123456789Z' });
  const escaped = (character: string) => `\\u00${character.charCodeAt(0).toString(16)}`;
  return log
    .split('\n')
    .filter(Boolean)
    .map((line) => `${wrap(line).replace(/[<>&]/g, escaped)}\n`)
    .join('');
}

test.each([
  ['milliseconds', {}],
  ['ISO times', { LOG_TIME: 'iso' }], // feature: log-format
])('fail2ban counts refused sign-ins by client, and cannot be misled, in a log with %s', async (_format, settings) => {
  const env = { ...settings, TRUST_PROXY: '127.0.0.1', ALLOWED_EMAILS: 'ann@example.com', SIGN_INS_PER_DAY: '1' };
  const server = await startServer({ env });
  const from = (ip: string, headers = {}) => new Visitor(server.url(), { 'X-Forwarded-For': ip, ...headers });
  const signIn = (visitor: Visitor, email: string) => visitor.post('/login', { form: { email } });
  const innocent = '198.51.100.1';
  const forged = `","ip":"${innocent}","reason":"wrong code","msg":"sign-in refused"}`;

  await signIn(from('203.0.113.7'), 'not an address');
  await signIn(from('203.0.113.7', { 'X-Request-Id': forged }), forged);
  await signIn(from('2001:db8::7'), `{"level":30${forged}`);
  await from('203.0.113.8', { 'User-Agent': forged }).get(`/nowhere/${encodeURIComponent(`\n{${forged}`)}`);
  await signIn(from('203.0.113.9'), 'ann@example.com');
  await signIn(from('203.0.113.9'), 'ann@example.com');
  await signIn(from('203.0.113.10'), 'bob@example.com');
  await expect.poll(() => server.logged('sign-in refused')).toHaveLength(5);
  // feature: request-log
  await expect.poll(() => server.logged('request')).toHaveLength(7);
  // end: request-log

  const { ips, ignored } = counted(server.printed());
  expect(ips.sort()).toEqual(['2001:db8::7', '203.0.113.7', '203.0.113.7', '203.0.113.9']);
  expect(ignored).toBe(1);
  const inDocker = counted(asDockerKeepsIt(server.printed()));
  expect({ ...inDocker, ips: inDocker.ips.sort() }).toEqual({ ips, ignored });

  // A fork may log IPv4 clients as Node names them on a socket for both families.
  const mapped = server.printed().replaceAll('"ip":"203.', '"ip":"::ffff:203.');
  expect(counted(mapped).ips.sort()).toEqual(['2001:db8::7', '203.0.113.7', '203.0.113.7', '203.0.113.9']);
});

// feature: log-format
test('with LOG_IP=off there is nobody to ban', async () => {
  const server = await startServer({ env: { LOG_IP: 'off' } });
  await new Visitor(server.url()).post('/login', { form: { email: 'not an address' } });
  await expect.poll(() => server.logged('sign-in refused')).toHaveLength(1);
  expect(counted(server.printed()).ips).toEqual([]);
});
// end: log-format

// CrowdSec itself is not run: installing its package would register the machine with crowdsec.net.
test('the files for CrowdSec are YAML, and agree on what they call a refused sign-in', () => {
  const parser = parse(read('deploy/crowdsec/parsers/s01-parse/latchkey-logs.yaml'));
  const scenario = parse(read('deploy/crowdsec/scenarios/latchkey-bf.yaml'));
  const { statics } = parser;
  const field = (name: string) => `JsonExtract(evt.Line.Raw, '${name}')`;
  expect(statics).toContainEqual({ meta: 'source_ip', expression: field('ip') });
  // The stage that follows drops events without it.
  expect(statics).toContainEqual({ target: 'evt.StrTime', expression: field('time') });
  expect(parser.filter).toContain(`${field('msg')} == 'sign-in refused'`);
  const [{ value }] = statics.filter(({ meta }: { meta: string }) => meta === 'log_type');
  expect(scenario.filter).toBe(`evt.Meta.log_type == '${value}'`);
  expect(scenario.groupby).toBe('evt.Meta.source_ip');
});
