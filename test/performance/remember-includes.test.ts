import { readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { rememberIncludes } from '../../src/features/performance/remember-includes.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';

afterEach(() => void vi.useRealTimers());

function remembering() {
  const render = vi.fn((locals: Readonly<Record<string, unknown>>) => JSON.stringify(locals));
  return { render, show: rememberIncludes('name', render) };
}

test('a view is rendered once for the same locals, also with another array of the same elements', () => {
  const { render, show } = remembering();
  const [first, second] = [{ handle: 'a' }, { handle: 'b' }];
  const html = show({ name: 'ann', list: [first, second], word: 'now' });
  expect(show({ word: 'now', list: [first, second], name: 'ann' })).toBe(html);
  expect(render).toHaveBeenCalledTimes(1);
});

test('a view is rendered again whenever one of its locals is another', () => {
  const { render, show } = remembering();
  const [first, second] = [{ handle: 'a' }, { handle: 'b' }];
  const locals = { name: 'ann', list: [first, second], word: 'now' };
  show(locals);
  for (const other of [
    { ...locals, name: 'bob' },
    { ...locals, word: '2 minutes ago' },
    { ...locals, word: undefined },
    { ...locals, list: [second, first] },
    { ...locals, list: [first] },
    { ...locals, list: [first, second, first] },
    { ...locals, list: [first, { ...second }] },
    { ...locals, list: undefined },
    { ...locals, more: true },
    { name: 'ann', list: locals.list },
    { name: 'ann', list: locals.list, other: 'now' },
    { name: 'ann', list: locals.list, other: undefined },
  ]) {
    expect(show(other)).toBe(JSON.stringify(other));
    // Of each key, only the latest is remembered.
    if (other.name === locals.name) expect(show(locals)).toBe(JSON.stringify(locals));
  }
  expect(render).toHaveBeenCalledTimes(1 + 1 + 11 * 2);
});

test('what is very long is rendered each time', () => {
  const { render, show } = remembering();
  const longest = { name: 'ann', text: 'x'.repeat(65_536 - '{"name":"ann","text":""}'.length) };
  for (let count = 0; count < 2; count += 1) expect(show(longest)).toHaveLength(65_536);
  expect(render).toHaveBeenCalledTimes(1);
  for (let count = 0; count < 2; count += 1) show({ ...longest, text: `${longest.text}x` });
  expect(render).toHaveBeenCalledTimes(3);
});

test('the latest twenty are remembered, and up to twenty before them', () => {
  const { render, show } = remembering();
  for (let name = 1; name <= 41; name += 1) show({ name });
  render.mockClear();
  for (const name of [41, 40, 22, 21]) show({ name });
  expect(render).not.toHaveBeenCalled();
  show({ name: 20 });
  expect(render).toHaveBeenCalledTimes(1);
});

test('the view of the list reads each of its locals once, so that it is remembered by all of them', () => {
  const view = readFileSync(new URL('../../views/partials/session-list.ejs', import.meta.url), 'utf8');
  expect(view).toContain('<% const { sessions, thisHandle, lastSeen } = locals; %>');
  expect(view.replaceAll(/\blocals\.words\b/g, '').match(/\blocals\b/g)).toHaveLength(1);
});

test('in production the list is written once for as long as it is the same', async () => {
  const { app, url } = await startApp({ config: { production: true } });
  const here = await signedIn(url);
  const formatTime = vi.spyOn(app.locals.words, 'formatTime');
  await here.get('/admin');
  const written = formatTime.mock.calls.length;
  await here.get('/admin');
  // What is above the list is written again, and its only line is not.
  expect(formatTime.mock.calls.length - written).toBe(written - 1);
});

test('a list of sessions that is remembered is the one that would be rendered anew', async () => {
  const redisAddress = await testRedis();
  const remembering = await startApp({ redisAddress, config: { production: true } });
  const rendering = await startApp({ redisAddress });
  const email = 'remembered@example.com';
  const here = await signedIn(remembering.url, email);

  async function listShown(visitor = here): Promise<string> {
    const lists: string[] = [];
    // The first may show what an earlier call left, and the second what the first left.
    for (const { url } of [remembering, remembering, rendering]) {
      const { text } = await visitor.copy(url).get('/admin');
      lists.push(text.slice(text.indexOf('<ul class="sessions">'), text.indexOf('</main>')));
    }
    expect(new Set(lists).size).toBe(1);
    return lists[0] ?? '';
  }

  expect(await listShown()).toContain('This session');
  const there = await signedIn(remembering.url, email);
  expect(await listShown()).toContain('End session 2 of 2');
  expect(await listShown(there)).toContain('End session 2 of 2');
  const stranger = await signedIn(remembering.url, 'stranger@example.com');
  expect(await listShown(stranger)).not.toContain('End session');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 150_000 });
  expect(await listShown()).toContain('last seen 2 minutes ago');
  vi.setSystemTime(Date.now() + 60_000);
  expect(await listShown()).toContain('last seen 3 minutes ago');
  await there.post('/logout');
  expect(await listShown()).not.toContain('End session');
  for (let count = 1; count <= 12; count += 1) await signedIn(remembering.url, email);
  expect(await listShown()).toContain('Show 3 more sessions');
});
