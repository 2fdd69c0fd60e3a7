// node scripts/count.mjs: how much there is to read. Lines and files per room of src/, the longest file and function,
// the share of functions of at most 8 lines, and the lines of the README.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));
const read = (path) => readFileSync(project + path, 'utf8');
const linesOf = (text) => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

/** Every file of src/, with its lines. */
function countFiles() {
  return readdirSync(`${project}src`, { recursive: true })
    .map((path) => `src/${path}`)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, lines: linesOf(read(path)) }));
}

/** The core: src/ without features, what they share, and what is beside the server. */
function isCore(path) {
  return !/^src\/(features|shared|cli|dev)\//.test(path);
}

/** Every function with a body in braces: where it begins, and how many lines it takes. */
function countFunctions(path) {
  const lines = read(path).split('\n');
  return lines.flatMap((line, start) => {
    const isFunction =
      /^\s*(export )?(default )?(async )?function\b/.test(line) ||
      /(=>|=> \()\s*\{$/.test(line) ||
      /^\s*(static |async |get |set |override )*[#\w]+(<.*>)?\(.*\{$/.test(line);
    if (!isFunction || /^\s*(if|for|while|switch|catch|return|else)\b/.test(line)) return [];
    const indent = /^\s*/.exec(line)?.[0] ?? '';
    const length = lines.slice(start + 1).findIndex((next) => next.startsWith(`${indent}}`)) + 2;
    return length < 2 ? [] : [{ at: `${path}:${start + 1}`, lines: length }];
  });
}

function roomOf(path) {
  const [, room, feature] = path.split('/');
  if (!path.slice('src/'.length).includes('/')) return 'src/*.ts';
  return room === 'features' ? `src/features/${feature}` : `src/${room}`;
}

const sum = (some) => some.reduce((total, { lines }) => total + lines, 0);
const longest = (some) => some.reduce((a, b) => (b.lines > a.lines ? b : a));

function print() {
  const files = countFiles();
  const rooms = group(files);
  for (const [room, inside] of [...rooms].sort(([a], [b]) => a.localeCompare(b))) row(room, sum(inside), inside.length);
  const core = files.filter(({ path }) => isCore(path));
  row('core', sum(core), core.length);
  row('all of src', sum(files), files.length);
  const functions = files.flatMap(({ path }) => countFunctions(path));
  const file = longest(files);
  const fn = longest(functions);
  console.log(`\nlongest file: ${file.path}, ${file.lines} lines`);
  console.log(`longest function: ${fn.at}, ${fn.lines} lines`);
  const short = functions.filter(({ lines }) => lines <= 8).length;
  console.log(`functions of at most 8 lines: ${Math.round((100 * short) / functions.length)} % of ${functions.length}`);
  console.log(`README.md: ${linesOf(read('README.md'))} lines`);
}

function printJson() {
  const files = countFiles();
  const core = sum(files.filter(({ path }) => isCore(path)));
  console.log(JSON.stringify({ core, longestFile: longest(files) }));
}

function group(files) {
  const rooms = new Map(files.map(({ path }) => [roomOf(path), []]));
  for (const file of files) rooms.get(roomOf(file.path)).push(file);
  return rooms;
}

function row(room, lines, files) {
  console.log(`${room.padEnd(28)}${String(lines).padStart(6)} lines${String(files).padStart(5)} files`);
}

if (process.argv.includes('--json')) printJson();
else print();
