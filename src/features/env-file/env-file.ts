import { lstatSync } from 'node:fs';
import { NotRegularFile, readRegularFile } from '../../shared/regular-file.ts';

/** What a file of settings says, and what could not be understood of it, by line. */
export type EnvFile = { path: string; entries: EnvEntry[]; problems: string[] };

type EnvEntry = { name: string; value: string; line: number };

/** `NAME=value`, after an optional `export`. */
const assignment = /^(?:export[ \t]+)?([a-z_]\w*)[ \t]*=[ \t]*(.*)$/i;
const singleQuoted = /^'([^']*)'[ \t]*(?:#.*)?$/;
// What programs make of a backslash or a `$` between double quotes differs.
const doubleQuoted = /^"([^"\\]*)"[ \t]*(?:#.*)?$/;
/** A color such as `#0b6e4f`, or a comment without a blank after its `#`. */
const valueOrComment = /^#+[^#\s]/;
const reference = /\$\{[A-Z_][A-Z\d_]*\}|\$\([^\s()][^()]*\)/i;
/** Control characters, and those that look like a space or like nothing at all, less the joiners of some scripts. */
const invisible = /[^\P{C}\t\p{Join_C}]|[^\P{Z} ]/u;

/**
 * Reads a file of settings, if there is one. Each line is understood or reported, never skipped: a lost line may be
 * the one that says `NODE_ENV=production`.
 */
export function readEnvFile(path: string): EnvFile {
  if (isAbsent(path)) return { path, entries: [], problems: [] };
  const read = readTextFile(path);
  if ('problem' in read) return { path, entries: [], problems: [`${path} ${read.problem}`] };
  const entries: EnvEntry[] = [];
  const problems: string[] = [];
  for (const [index, text] of read.text.split(/\r\n|\n|\r/).entries()) {
    const line = index + 1;
    const found = readLine(text);
    if (found === undefined) continue;
    if (typeof found === 'string') {
      problems.push(`${path}, line ${line}: ${found}`);
      continue;
    }
    const earlier = entries.find(({ name }) => name === found.name);
    if (earlier) problems.push(`${path}, line ${line}: ${found.name} is set on line ${earlier.line} already; keep one`);
    else entries.push({ ...found, line });
  }
  return { path, entries, problems };
}

/**
 * A reference that a shell, a template or Kubernetes (`$(NAME)`) should have replaced, in this text. A command, or what may
 * be a part of a secret, is not repeated.
 */
export function unexpandedReference(text: string): string | undefined {
  const [found] = reference.exec(text) ?? [];
  if (found === undefined || /^\$.[A-Z_][A-Z\d_]*.$/.test(found)) return found;
  return `${found.slice(0, 2)}…${found.at(-1)}`;
}

/** The text of a file in UTF-8 or, with a byte order mark, UTF-16, as Windows editors save it. */
export function readTextFile(
  path: string,
  readBytes: (path: string) => Uint8Array = readRegularFile,
): { text: string } | { problem: string } {
  try {
    const bytes = readBytes(path);
    const [first, second] = bytes;
    const encoding =
      first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { problem: 'is not valid UTF-8; save it as UTF-8' };
    if (error instanceof NotRegularFile) return { problem: `is ${error.message}` };
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { problem: 'cannot be read (ENOENT); there is no such file, so correct the path' };
    return { problem: `cannot be read (${code}); correct its permissions or remove it` };
  }
}

// Not `existsSync`, which says so too of a broken link, and of a file in a directory without permission.
function isAbsent(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

/** What a line sets, or what is wrong with it; undefined for a blank line or a comment. */
function readLine(line: string): Omit<EnvEntry, 'line'> | string | undefined {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return undefined;
  if (invisible.test(text)) return 'there is an invisible character; type the line anew, and save the file as UTF-8';
  const [, name, rest = ''] = assignment.exec(text) ?? [];
  if (name === undefined) return 'expected NAME=value, or a comment that begins with #';
  const [, literal] = singleQuoted.exec(rest) ?? [];
  if (literal !== undefined) return { name, value: literal };
  if (valueOrComment.test(rest)) {
    return `${name}: put ' around a value that begins with #, or a blank after the # of a comment`;
  }
  const value = /^["'`\u2018-\u201f]/.test(rest) ? doubleQuoted.exec(rest)?.[1] : rest.split(/(?:^|[ \t]+)#/)[0];
  if (value === undefined) return `${name}: put the value between two ' on one line`;
  const unexpanded = unexpandedReference(value);
  if (unexpanded !== undefined) return `${name}: write the value itself in place of ${unexpanded}`;
  // Programs that read such files disagree about these: some evaluate `${}`, and to some any `#` begins a comment.
  return /\$[{(]|#/.test(value) ? `${name}: put ' around a value that contains \${, $( or #` : { name, value };
}
