import { describe, expect, test } from 'vitest';
import { describeDevice } from '../../src/http/user-agent.ts';

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

  test('reads no more than 512 characters', () => {
    const browser = 'Firefox/128.0';
    expect(describeDevice(`${browser.padStart(512)}`)).toBe('Firefox');
    expect(describeDevice(`${browser.padStart(512 + browser.length)}`)).toBe('Unknown browser');
  });
});
