import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { publish, ratios, samples, verdict } from '../../bench/bench.ts';
import { newDirectory } from '../support/process.ts';

beforeAll(() => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
});
afterAll(() => {
  vi.mocked(console.log).mockRestore();
});

/** What is published of a table with these cells; undefined if it isn't. */
function published(cells: Parameters<typeof samples>[0][], options: object = {}): string | undefined {
  const directory = pathToFileURL(`${newDirectory('results-')}/`);
  const rows = cells.map((values, position) => [`row ${position}`, samples(values)]);
  publish('result.md', ['# Title', { head: ['what', 'ms'], rows }], { directory, ...options });
  const file = new URL('result.md', directory);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

describe('a result', () => {
  test('is published with the spread of its rounds', () => {
    expect(published([[3, 1, 2]])).toContain('| row 0 | 2.00 (1.00–3.00) |');
  });

  test.each([1, 2])('is not published when any figure rests on %i rounds', (rounds) => {
    expect(published([[1, 2, 3], Array(rounds).fill(1)])).toBeUndefined();
  });

  test('is not published when something speaks against it', () => {
    expect(published([[1, 2, 3]], { flaw: 'the machine was busy' })).toBeUndefined();
  });

  test('without samples is refused unless it is a single run', () => {
    expect(() => published([])).toThrow('result.md holds no samples');
    expect(published([], { isSingleRun: true })).toContain('# Title');
  });
});

describe('a comparison', () => {
  const shown = (own: number[], other: number[]) => {
    const directory = pathToFileURL(`${newDirectory('results-')}/`);
    publish('ratio.md', [{ head: ['peer', 'ratio'], rows: [['peer', ratios(own, other)]] }], { directory });
    return readFileSync(new URL('ratio.md', directory), 'utf8').split('\n')[2];
  };

  test('is made within each round', () => {
    expect(shown([10, 20, 30], [20, 40, 60])).toBe('| peer | 0.50 (0.50–0.50) |');
  });

  test('says that it is not sure when the rounds lie further apart than the two that are compared', () => {
    expect(shown([80, 90, 95], [100, 100, 100])).toBe('| peer | 0.90 (0.80–0.95), not sure |');
    expect(shown([88, 90, 95], [100, 100, 100])).toBe('| peer | 0.90 (0.88–0.95) |');
  });

  test.each([
    { values: [0.3, 0.3, 0.31], text: 'at most 0.40: met' },
    { values: [0.3, 0.38, 0.41], text: 'at most 0.40: met, not sure' },
    { values: [0.38, 0.42, 0.44], text: 'at most 0.40: missed, not sure' },
    { values: [0.6, 0.61, 0.62], text: 'at most 0.40: missed' },
  ])('says of a goal: $text', ({ values, text }) => {
    expect(verdict(values, 0.4)).toBe(text);
  });
});
