import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { instrument, type RawMutant } from './instrument.mjs';

/** What is mutated, and whose tests are to find the mutants: those of the folder itself, and of what uses it most. */
export const testedFolders: Record<string, [string, ...string[]]> = {
  'src/session': ['test/session', 'test/routes', 'test/middleware'],
  'src/middleware': ['test/middleware', 'test/routes', 'test/http'],
  'src/http': ['test/http', 'test/middleware', 'test/routes'],
  // feature: email-code
  'src/features/email-code': ['test/email-code'],
  // end: email-code
};

export type Mutant = RawMutant & {
  /** Of its first character, counted from 1. */
  line: number;
  /** The whole line, which tells mutants of the same kind apart. */
  code: string;
  /** "from → to", on one line. */
  change: string;
};

/** A mutant that changes nothing which anybody could notice, so that no test can find it. */
export type Equivalent = Pick<Mutant, 'file' | 'code' | 'change'> & { reason: string };

/** The folders with the tests for a source, its own first. */
export function testsFor(file: string): [string, ...string[]] {
  const [, tests] = Object.entries(testedFolders).find(([folder]) => file.startsWith(`${folder}/`)) ?? [];
  if (!tests) throw new Error(`${file} is not in ${Object.keys(testedFolders).join(', ')}`);
  return tests;
}

/** All sources below these paths, each a folder, a file or a `file:line`. */
export function sourcesBelow(paths: string[]): string[] {
  const files = paths.flatMap((path) => {
    const file = path.replace(/:\d+$/, '');
    if (file.endsWith('.ts')) return [file];
    const names = readdirSync(file, { recursive: true, encoding: 'utf8' });
    return names.filter((name) => name.endsWith('.ts')).map((name) => `${file}/${name}`);
  });
  files.forEach(testsFor);
  return [...new Set(files)].sort();
}

/** @returns the sources with all their mutants in them, and a list of these */
export async function mutate(files: string[]): Promise<{ code: Record<string, string>; mutants: Mutant[] }> {
  const sources = Object.fromEntries(files.map((file) => [file, readFileSync(file, 'utf8')]));
  const { code, mutants } = await instrument(sources);
  return { code, mutants: mutants.map((mutant) => describe(mutant, sources[mutant.file]?.split('\n') ?? [])) };
}

function describe(mutant: RawMutant, lines: string[]): Mutant {
  const { start, end } = mutant.location;
  const inside = lines.slice(start.line, end.line + 1);
  inside.push((inside.pop() ?? '').slice(0, end.column));
  inside[0] = (inside[0] ?? '').slice(start.column);
  const change = [inside.join('\n'), mutant.replacement].map((text) => shorten(text.replaceAll(/\s+/g, ' ')));
  return { ...mutant, line: start.line + 1, code: lines[start.line]?.trim() ?? '', change: change.join(' → ') };
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 60)} … ${text.slice(-17)}`;
}

/** What is listed for these files. @throws if an entry names no mutant, such as one of a file that is gone */
export function readEquivalents(files: string[], mutants: Mutant[]): Set<Mutant> {
  const lists = new Set(files.map((file) => `${testsFor(file)[0]}/equivalent-mutants.json`));
  const entries: Equivalent[] = [...lists].flatMap((list) =>
    existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [],
  );
  const others = sourcesBelow(Object.keys(testedFolders)).filter((file) => !files.includes(file));
  return named(
    entries.filter(({ file }) => !others.includes(file)),
    mutants,
  );
}

/** @throws if an entry names none of these mutants, or gives no reason */
export function named(entries: Equivalent[], mutants: Mutant[]): Set<Mutant> {
  const found = entries.flatMap((entry) => {
    const { file, code, change, reason } = entry;
    const some = mutants.filter((mutant) => mutant.file === file && mutant.code === code && mutant.change === change);
    if (some.length === 0 || !reason)
      throw new Error(`no mutant, or no reason, for the entry ${JSON.stringify(entry)}`);
    return some;
  });
  return new Set(found);
}
