import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readEnvFile } from '../../src/features/env-file/env-file.ts';
import { documents, read as readDocument } from '../support/documents.ts';
import { newDirectory } from '../support/process.ts';
import { configWith, problemsWith } from './configuration.ts';

const directory = newDirectory('env-file-');
let files = 0;

function write(content: string | Uint8Array): string {
  files += 1;
  const path = join(directory, `${files}.env`);
  writeFileSync(path, content);
  return path;
}

/** What the file sets; throws what it says instead. */
function read(content: string | Uint8Array): Record<string, string> {
  const { entries, problems } = readEnvFile(write(content));
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

function problemsOf(content: string): string[] {
  return problemsWith({}, write(content)).map((problem) => problem.replace(/^\S+\.env, /, ''));
}

const text = 'NODE_ENV=production\r\nPORT=3001\r\n';
const swapped = (bytes: Buffer) => Buffer.from(bytes).swap16();
const mark = '\ufeff';

describe('a file of settings', () => {
  test.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a byte order mark', Buffer.from(mark + text)],
    ['UTF-16 as PowerShell writes it', Buffer.from(mark + text, 'utf16le')],
    ['UTF-16, big-endian', swapped(Buffer.from(mark + text, 'utf16le'))],
    [
      'two files with byte order marks, one after the other',
      Buffer.from(`${mark}NODE_ENV=production\n${mark}PORT=3001`),
    ],
    ['the line breaks of old Macs', Buffer.from(text.replaceAll('\r\n', '\r'))],
  ])('is read in %s', (_, bytes) => {
    expect(read(bytes)).toEqual({ NODE_ENV: 'production', PORT: '3001' });
  });

  test.each([
    ['UTF-16 without a byte order mark', Buffer.from(text, 'utf16le'), 'line 1: there is an invisible character'],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x50, 0, 0, 0]), 'line 1: there is an invisible character'],
    ['half of a UTF-16 character', Buffer.from([0xff, 0xfe, 0x50]), 'is not valid UTF-8'],
    ['Latin-1', Buffer.from('SITE_NAME=Café', 'latin1'), 'is not valid UTF-8'],
  ])('is refused in %s', (_, bytes, problem) => {
    expect(() => read(bytes)).toThrow(problem);
  });

  test.each([
    ['PORT=3001', '3001'],
    ['  export PORT = 3001  ', '3001'],
    ['PORT="3001"', '3001'],
    ["PORT='3001' # as agreed", '3001'],
    ['PORT=3001 # as agreed', '3001'],
    ['PORT=', ''],
    ['PORT= # none', ''],
    ['PORT= ## none', ''],
    ["PORT=''", ''],
    ['PORT="a = b"', 'a = b'],
    [`PORT='a#b \${c} $(d) \\n "e"'`, `a#b \${c} $(d) \\n "e"`],
    ["PORT=O'Hara <x@example.com>", "O'Hara <x@example.com>"],
    ["PORT='می\u200cخواهم'", 'می\u200cخواهم'],
    ['PORT=pa$$word=', 'pa$$word='],
  ])('has %j set it to %j', (line, value) => {
    expect(read(`# a comment\n\n${line}\n`)).toEqual({ PORT: value });
  });

  test.each([
    ['PORT', 'expected NAME=value'],
    ['PORT: 3001', 'expected NAME=value'],
    ['set PORT=3001', 'expected NAME=value'],
    ['-PORT=3001', 'expected NAME=value'],
    ['=3001', 'expected NAME=value'],
    ['PORT="3001', 'PORT: put the value between'],
    ["PORT='3001", 'PORT: put the value between'],
    ["PORT='30'01", 'PORT: put the value between'],
    ["PORT='it'\\''s'", 'PORT: put the value between'],
    ['PORT="30\\n01"', 'PORT: put the value between'],
    ['PORT=`3001`', 'PORT: put the value between'],
    ['PORT=“3001”', 'PORT: put the value between'],
    ['PORT=3001#as agreed', "PORT: put ' around a value"],
    ['PORT="30#01"', "PORT: put ' around a value"],
    ['PORT=#0b6e4f', "PORT: put ' around a value that begins with #"],
    ['export PORT = #0b6e4f # green', "PORT: put ' around a value that begins with #"],
    ['PORT= #none', "PORT: put ' around a value that begins with #, or a blank after the # of a comment"],
    [`PORT=\${OTHER}`, `PORT: write the value itself in place of \${OTHER}`],
    [`PORT=\${OTHER:-3000}`, "PORT: put ' around a value"],
    ['PORT="$(cat port)"', 'PORT: write the value itself in place of $(…)'],
    ['PORT="$(cat port"', "PORT: put ' around a value"],
    ['PO\u200bRT=3001', 'there is an invisible character'],
    ['PORT=30\u00a001', 'there is an invisible character'],
    ['PORT=30\u202801', 'there is an invisible character'],
    ['PORT=30\u000001', 'there is an invisible character'],
  ])('is refused with the number of the line for %j', (line, problem) => {
    expect(problemsOf(`# a comment\n\n${line}\n`)).toEqual([expect.stringContaining(`line 3: ${problem}`)]);
  });

  test('never has a line mean something else than Node takes it for: it is the same, or it is refused', () => {
    const pieces = ['A', '=', ' ', '#', '"', "'", '`', '$', '{x}', '(', '\\', '\\n', 'export ', 'é', ':', 'b1'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 9 }), (rest) => {
        const line = `NAME=${rest.join('')}`;
        const { entries, problems } = readEnvFile(write(line));
        expect(entries.length + problems.length).toBe(1);
        for (const { value } of entries) expect([line, value]).toEqual([line, parseEnv(line).NAME]);
      }),
      { numRuns: 500 },
    );
  });

  test('can be made of the lines that the documents show', () => {
    const lines = documents.flatMap((name) => readDocument(name).match(/^[A-Z][A-Z_]+=(?:'.*'|\S+)$/gm) ?? []);
    expect(lines).toContain('TRUST_PROXY=1');
    expect(lines.flatMap((line) => readEnvFile(write(line)).problems)).toEqual([]);
  });

  test('is refused where it sets a name twice', () => {
    expect(problemsOf('PORT=3001\nHOST=::\nPORT=3002')).toEqual(['line 3: PORT is set on line 1 already; keep one']);
  });

  test('is refused where it is there, but cannot be read', () => {
    const refused = (path: string) => readEnvFile(path).problems;
    const folder = join(directory, 'folder');
    mkdirSync(folder);
    expect(refused(folder)).toEqual([`${folder} is a directory, not a file`]);
    const dangling = join(directory, 'dangling');
    symlinkSync('nowhere', dangling);
    expect(refused(dangling)).toEqual([expect.stringContaining(`${dangling} cannot be read (ENOENT)`)]);
    const locked = write(text);
    chmodSync(locked, 0);
    expect(asNobody(() => refused(locked))).toEqual([expect.stringContaining(`${locked} cannot be read (EACCES)`)]);
    expect(refused(join(directory, 'not there'))).toEqual([]);
  });
});

describe('the names in it', () => {
  test.each([
    ['REDSI_URL', 'REDIS_URL'],
    ['redis_url', 'REDIS_URL'],
    ['SESSION_SECERT', 'SESSION_SECRET'],
    ['SESSION_SECRETFILE', 'SESSION_SECRET_FILE'],
    ['TRUSTED_PROXY', 'TRUST_PROXY'],
    ['ALLOWED_MAILS', 'ALLOWED_EMAILS'],
  ])('%s is not a setting, and %s may be meant', (name, meant) => {
    expect(problemsOf(`PORT=3001\n${name}=x`)).toEqual([`line 2: ${name} is not a setting; did you mean ${meant}?`]);
  });

  test('may be anything but settings that do not exist', () => {
    expect(problemsOf('DATABASE_URL=x')).toEqual([expect.stringContaining('remove it, or set it in the environment')]);
    expect(
      problemsOf(
        'REDIS_PASSWORD=x\nREDIS_MAXMEMORY=1gb\nPORTS=3000-3002\nPROCESSES=3\nCOMPOSE_PROFILES=try\nCHROMIUM_PATH=/x',
      ),
    ).toEqual([]);
  });

  test('are reported without blaming what may be missing because of them', () => {
    expect(problemsOf('NODE_ENV=production\nSESSION_SECRETS=x\nPORT=x')).toEqual([
      expect.stringContaining('SESSION_SECRETS is not a setting; did you mean SESSION_SECRET?'),
      'PORT takes a port, 0 to 65535',
    ]);
  });

  test('give way to those of the environment', () => {
    expect(configWith({ PORT: '3001' }, write('PORT=3002\nHOST=::1'))).toMatchObject({
      port: 3001,
      host: '::1',
    });
  });
});

/** Does this with the rights of a user who may read nothing that is not for everybody. */
function asNobody<Result>(act: () => Result): Result {
  const user = process.geteuid?.();
  if (user !== 0) return act();
  process.seteuid?.(65_534);
  try {
    return act();
  } finally {
    process.seteuid?.(user);
  }
}
