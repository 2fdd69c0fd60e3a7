import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where a file of the project is. */
export function pathOf(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}

export function read(name: string): string {
  return readFileSync(pathOf(name), 'utf8');
}

/** Every document for people, by its path from the top of the project. */
export const documents = [
  ...readdirSync(pathOf('.')).filter((name) => name.endsWith('.md')),
  ...readdirSync(pathOf('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** The rows of the table in a document that begins with this heading, each cell without its backquotes. */
export function rowsBelow(document: string, heading: string): string[][] {
  const [, table] = read(document).replaceAll('`', '').split(`\n| ${heading} |`);
  if (table === undefined) throw new Error(`${document} has no table "${heading}"`);
  const [lines = ''] = table.split('\n\n');
  return lines
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(1)
    .map((line) =>
      line
        .replace(/ <!--.*-->$/, '')
        .split('|')
        .slice(1, -1),
    )
    .map((cells) => cells.map((cell) => cell.trim()));
}

/** What a document says below this heading. */
export function sectionOf(document: string, heading: string): string {
  const [, section] = read(document).split(`\n## ${heading}\n`);
  if (section === undefined) throw new Error(`${document} has no section "${heading}"`);
  return section.split('\n## ')[0] ?? '';
}

/**
 * The cells of each row that begins with this name, in a result of the bench; what was measured without its spread.
 * @throws if there is no such row
 */
export function measured(result: string, name: string): string[][] {
  const file = `bench/results/${result}.md`;
  const cells = read(file)
    .split('\n')
    .map((row) => row.split('|').map((cell) => withoutSpread(cell.trim())));
  const rows = cells.filter(([, first]) => first === name).map((row) => row.slice(2, -1));
  if (rows.length === 0) throw new Error(`no result for "${name}" in ${file}`);
  return rows;
}

/** "0.38, not sure" of "0.38 (0.36–0.41), not sure". */
function withoutSpread(cell: string): string {
  return cell.replace(/^(\S+) \([^ )]+–[^ )]+\)(, not sure)?$/, '$1$2');
}
