import bowser from 'bowser';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { describeDevice } from '../../src/http/user-agent.ts';
import { heapGrowth } from '../support/heap-growth.ts';

const webKit = 'AppleWebKit/537.36 (KHTML, like Gecko)';

describe('describeDevice', () => {
  test.each([
    ['Firefox on Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
    ['Chrome on Chrome OS', `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webKit} Chrome/126.0.0.0 Safari/537.36`],
    // Where browser and system share a name, it is said once.
    ['Browser on Tizen', `Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) ${webKit} Version/5.0 TV Safari/538.1`],
    ['Browser on Bada', 'Mozilla/5.0 (SAMSUNG; GT-S8500/1.0; U; Bada/1.0; en-us) AppleWebKit/533.1 Dolfin/2.0 Mobile'],
    ['Browser on BlackBerry', `Mozilla/5.0 (BB10; Touch) ${webKit} Version/10.0.9.2372 Mobile Safari/537.10+`],
    ['Browser on Roku', 'Roku/DVP-9.10 (519.10E04111A)'],
    ['WebOS Browser', `Mozilla/5.0 (Web0S; Linux/SmartTV) ${webKit} Chrome/79.0.3945.79 Safari/537.36 WebAppManager`],
    ['Android Browser', `Mozilla/5.0 (Linux; U; Android 2.3.5; en-us) ${webKit} Version/4.0 Mobile Safari/533.1`],
    // A name that nobody knows is never repeated.
    ['Unknown browser on Windows', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Evil/1.0'],
    ['Unknown browser', 'Evil/1.0 (evil.example)'],
    ['Unknown browser', ''],
  ])('says %s', (words, userAgent) => {
    expect(describeDevice(userAgent)).toBe(words);
  });

  test('says the same when it has read a header before, and many others since', () => {
    const headers = Array.from({ length: 250 }, (_, version) => `Mozilla/5.0 (X11; Linux) Firefox/${version}.0`);
    for (const header of [...headers, ...headers.toReversed(), 'Roku/DVP-9.10 (519.10E04111A)', ...headers]) {
      expect(describeDevice(header)).toBe(header.startsWith('Roku') ? 'Browser on Roku' : 'Firefox on Linux');
    }
  });

  test('goes on remembering when it is full', () => {
    const parse = vi.spyOn(bowser, 'parse');
    onTestFinished(() => parse.mockRestore());
    const headers = Array.from({ length: 100 }, (_, version) => `Mozilla/5.0 (X11; Linux) Firefox/${version}.5`);
    for (let round = 1; round <= 10; round += 1) for (const header of headers) describeDevice(header);
    // Others were there before, so that it starts anew once.
    expect(parse.mock.calls.length).toBeLessThanOrEqual(2 * headers.length);
  });

  test('remembers no more than it reads of a header', async () => {
    const read = (count: number) => describeDevice(Buffer.alloc(200_000, `Evil/${count}.6 `).toString());
    // Wherever it starts anew, it holds at least fifty of them after one of the two.
    for (const [from, to] of [
      [0, 100],
      [100, 150],
    ] as const) {
      const growth = await heapGrowth(() => {
        for (let count = from; count < to; count += 1) read(count);
      });
      expect(growth).toBeLessThan(5_000_000);
    }
  });

  test('reads no more than 512 characters', () => {
    const browser = 'Firefox/128.0';
    expect(describeDevice(`${browser.padStart(512)}`)).toBe('Firefox');
    expect(describeDevice(`${browser.padStart(512 + browser.length)}`)).toBe('Unknown browser');
  });
});
