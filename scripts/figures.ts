// The figures in the documents, from the published results of the bench.
import { measured, read } from '../test/support/documents.ts';

type Fill = { page: string; fill: (text: string) => string };
type Figure = string | number | undefined;

const nodes = ['20', '22', '24'];

/**
 * The pages with figures, by their names, and what was not filled in because its place or its result is gone. Of a page or
 * a file of results that is gone, nothing is said: a fork may have no use for either.
 */
export function pagesWithFigures(): { pages: Record<string, string>; problems: string[] } {
  const pages: Record<string, string> = {};
  const problems: string[] = [];
  for (const { page, fill } of [...speed(), ...capacity(), ...tests(), ...features()]) {
    try {
      pages[page] = fill(pages[page] ?? read(page));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (!('code' in error && error.code === 'ENOENT')) problems.push(error.message);
    }
  }
  return { pages, problems };
}

function speed(): Fill[] {
  const page = 'docs/speed.md';
  return [
    rows(page, 'divided by | what it is | Node 20 | Node 22 | Node 24', (peer) => [
      undefined,
      ...nodes.map((version) => measured(`node${version}`, peer).at(-1)?.[0]),
    ]),
    rows(page, 'what | Node 20 | Node 22 | Node 24', (what) => {
      const kind = what.endsWith(' a code') ? 'paths-code' : 'paths';
      return nodes.map((version) => measured(`${kind}-node${version}`, what)[0]?.[1]);
    }),
    rows(page, 'beside 0.1 | Node 20 | Node 22 | Node 24', (what) =>
      nodes.map((version) => measured(`paths-node${version}`, what)[0]?.[4]),
    ),
    sentence(
      page,
      '`/admin` costs some * µs more than a signed-in page, and some * µs for each further session on it',
      () => [
        microsecondsBetween('signed-in page', '/admin, one session').toFixed(0),
        (microsecondsBetween('/admin, one session', '/admin, 50 sessions') / 49).toFixed(1),
      ],
    ),
    { page, fill: (text) => withBlock(text, limitTable()) },
    ...['first visit', 'with a warm cache'].map((visit, position) =>
      rows(
        page,
        `${visit} | kB | requests | round trips to first paint | s to first paint | s of waiting in all`,
        (name) => {
          const cells = measured('visit', name)[position] ?? [];
          return [0, 1, 2, 3, 6].map((column) => cells[column]);
        },
      ),
    ),
  ];
}

/** How much more CPU time one path takes than another, on Node 20. */
function microsecondsBetween(less: string, more: string): number {
  const cpuOf = (path: string) => Number(measured('paths-node20', path)[0]?.[0]);
  return cpuOf(more) - cpuOf(less);
}

/** Every server that was measured, whichever these were. */
function limitTable(): string {
  const result = 'bench/results/limit.md';
  const names = [...read(result).matchAll(/^\| (?!server |peer |-)(.+?) +\|/gm)].map(([, name = '']) => name);
  const lines = [...new Set(names)].map((name) => {
    const [near, far, ratios] = measured('limit', name);
    return [name, near?.[0], ratios?.[0], far?.[0], ratios?.[1]].map((cell) => cell ?? '').join(' | ');
  });
  const head = "server | pages per s | Latchkey's, divided by it | Redis 1 ms away | Latchkey's, divided by it";
  return [head, head.replaceAll(/[^|]+/g, ' --- ').trim(), ...lines].map((line) => `| ${line} |`).join('\n');
}

function withBlock(text: string, block: string): string {
  const place = /(<!-- limit: begin -->\n)[\s\S]*(<!-- limit: end -->)/;
  if (!place.test(text)) throw new Error('docs/speed.md has no place for the limit');
  return text.replace(place, (_match, begin, end) => `${begin}\n${block}\n\n${end}`);
}

function capacity(): Fill[] {
  const page = 'docs/running.md';
  const bytes = () => Number(measured('memory', 'latchkey, with the index')[0]?.[0]);
  const cpuMicroseconds = () => Number(measured('node24', 'latchkey')[0]?.[3]);
  const thousandPages = () => Math.floor(750 / cpuMicroseconds());
  return [
    sentence(page, 'A session takes * bytes of Redis with all that belongs to it', () => [bytes()]),
    sentence(page, 'a signed-in page * µs of a core on Node 24', () => [cpuMicroseconds()]),
    sentence(page, 'So a GiB holds * million sessions', () => [(2 ** 30 / bytes() / 1e6).toFixed(1)]),
    sentence(page, 'one core serves * pages a second with a quarter to spare', () => [`${thousandPages()},000`]),
    sentence(page, 'Ten million sessions are * GB', () => [(bytes() / 100).toFixed(1)]),
  ];
}

function tests(): Fill[] {
  return [
    rows(
      'docs/mutation-testing.md',
      'folder | mutants | killed | timed out | survived | not covered | equivalent | score, %',
      (folder) => measured('mutation', folder)[0] ?? [],
    ),
  ];
}

function features(): Fill[] {
  return [
    // feature: workers
    sentence('docs/workers.md', 'two workers serve * times as many', () => [
      measured('workers', 'throughput of two cores, times that of one')[0]?.[0],
    ]),
    // end: workers
    // feature: gate
    rows('docs/gate.md', 'what | CPU of Node, µs | CPU of nginx, µs | p50 ms | p99 ms', (name) => {
      const [, p50, p99, node, nginx] = measured('gate', name)[0] ?? [];
      return [node, nginx, p50, p99];
    }),
    sentence(
      'docs/gate.md',
      'CPU of a check was * times that of a signed-in page and * times that of the bare server',
      () => [ratioOfCheck('signed-in page'), ratioOfCheck('bare node:http with a GET')],
    ),
    // end: gate
    // feature: email-code
    rows(
      'docs/mail.md',
      'load | promised | sent | doubled | lost | slowest | known browser',
      (load) => measured('mail', load)[0] ?? [],
    ),
    // end: email-code
    // feature: idle-memory
    rows('docs/idle-memory.md', 'what | Node 20 | 0.1 on Node 20 | Node 24 | 0.1 on Node 24', (what) =>
      measured('idle', what).flat(),
    ),
    // end: idle-memory
    // feature: incidents
    rows('docs/incidents.md', 'command | output | s', (command) => measured('incidents', command)[0] ?? []),
    // end: incidents
    // feature: passkeys
    rows('docs/passkeys.md', 'from an open login page to `/admin` | keys and clicks | waiting', (way, [, waiting]) => [
      undefined,
      waiting?.replace(/^[\d.]+/, measured('passkeys', way)[0]?.[1] ?? '$&'),
    ]),
    sentence('docs/passkeys.md', 'The login page grows by * bytes, from * to *,', loginPageBytes),
    // end: passkeys
  ];
}

// feature: gate
function ratioOfCheck(name: string): string | undefined {
  return measured('gate', name).at(-1)?.[0]?.split(',')[0];
}
// end: gate

// feature: passkeys
function loginPageBytes(): number[] {
  const bytes = (how: string) => Number(measured('passkeys', `login page ${how} passkeys`)[0]?.[0]);
  const [withoutPasskeys, withPasskeys] = [bytes('without'), bytes('with')];
  return [withPasskeys - withoutPasskeys, withoutPasskeys, withPasskeys];
}
// end: passkeys

/**
 * The rows of the table with this heading.
 * @param figuresOf the cells after the first of a row, by the first and the ones that are there; undefined leaves one as it is
 */
function rows(
  page: string,
  heading: string,
  figuresOf: (name: string, cells: string[]) => (string | undefined)[],
): Fill {
  const fillRow = (line: string): string => {
    const [, first = '', ...cells] = line.split('|');
    // What follows the last cell, such as the mark of a feature.
    const end = cells.pop();
    const figures = figuresOf(
      first.replaceAll('`', '').trim(),
      cells.map((cell) => cell.trim()),
    );
    const filled = cells.map((cell, position) => {
      const figure = figures[position];
      return figure === undefined ? cell : ` ${figure} `;
    });
    return `|${[first, ...filled, end].join('|')}`;
  };
  return {
    page,
    fill(text) {
      const [before = '', after] = text.split(`\n| ${heading} |\n`);
      if (after === undefined) throw new Error(`${page} has no table "${heading}"`);
      const [, rule = '', lines = '', rest = ''] = /^(\|.*\n)((?:\|.*\n)*)([\s\S]*)$/.exec(after) ?? [];
      const filled = lines.replaceAll(/^\|.*$/gm, fillRow);
      return `${before}\n| ${heading} |\n${rule}${filled}${rest}`;
    },
  };
}

/** A sentence in which `*` stands for a figure; it may be wrapped anywhere. */
function sentence(page: string, words: string, figures: () => Figure[]): Fill {
  const [first = '', ...others] = words.split('*').map((part) => part.replaceAll(' ', '\\s+'));
  const pattern = new RegExp([`(${first})`, ...others.map((part) => `[\\d.,]*\\d(${part})`)].join(''));
  return {
    page,
    fill(text) {
      const given = figures();
      if (!pattern.test(text)) throw new Error(`${page} does not say "${words}"`);
      return text.replace(pattern, (_match, ...groups) =>
        groups.slice(0, others.length + 1).reduce((filled, part, position) => filled + given[position - 1] + part),
      );
    },
  };
}
