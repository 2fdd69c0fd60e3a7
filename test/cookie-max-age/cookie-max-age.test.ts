import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startApp } from '../support/app.ts';
import { startFork } from '../support/fork.ts';

const { redis } = await startApp();

describe('a cookie of a page', () => {
  test('has Max-Age as well as Expires, or neither', async () => {
    // A cookie's end is a whole second.
    vi.useFakeTimers({ toFake: ['Date'], now: Math.floor(Date.now() / 1000) * 1000 });
    onTestFinished(() => void vi.useRealTimers());
    const inAnHour = new Date(Date.now() + 3_600_000);
    const forkUrl = await startFork(redis, (fork) => {
      fork.get('/', (_req, res) => {
        res.cookie('expires', '1', { expires: inAnHour });
        res.cookie('both', '1', { maxAge: 60_000 });
        res.cookie('neither', 'undefined');
        res.clearCookie('cleared');
        res.send('');
      });
      fork.get('/one', (_req, res) => {
        res.writeHead(200, { 'Set-Cookie': `one=a; expires=${inAnHour.toUTCString()}` }).end();
      });
      fork.get('/dense', (_req, res) => {
        const expires = `;Expires=${inAnHour.toUTCString()}`;
        res.writeHead(200, { 'Set-Cookie': [`expires=a${expires}`, `both=a${expires};Max-Age=60`] }).end();
      });
    });
    // Not as a visitor, whose cookies no log may hold: one has a word for its value.
    const cookiesOf = async (path: string) => (await fetch(forkUrl + path)).headers.getSetCookie();
    const maxAges = async (path: string) => {
      return (await cookiesOf(path)).map((line) => [line.split('=')[0], line.match(/max-age=\d+/gi) ?? []]);
    };
    const anHour = ['Max-Age=3600'];
    expect(await maxAges('/')).toEqual([
      ['expires', anHour],
      ['both', ['Max-Age=60']],
      ['neither', []],
      ['cleared', ['Max-Age=0']],
    ]);
    expect(await cookiesOf('/')).toContain('neither=undefined; Path=/');
    expect(await maxAges('/one')).toEqual([['one', anHour]]);
    expect(await maxAges('/dense')).toEqual([
      ['expires', anHour],
      ['both', ['Max-Age=60']],
    ]);
  });
});
