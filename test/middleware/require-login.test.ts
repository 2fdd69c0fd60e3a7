import type express from 'express';
import { describe, expect, test } from 'vitest';
import { requireLogin } from '../../src/middleware/require-login.ts';
import { currentEmail } from '../../src/session/sign-in.ts';
import { startApp } from '../support/app.ts';
import { clients, signedIn } from '../support/client.ts';
import { startFork } from '../support/fork.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });

const forkUrl = await startFork(app.redis, (fork) => {
  const answer: express.RequestHandler = (req, res) => void res.send(currentEmail(req));
  fork.get('/unguarded', answer);
  fork.use('/guarded', requireLogin, answer);
});

async function statusFor(email: string, path: string): Promise<number> {
  return (await (await signedIn(app.url, email)).copy(forkUrl).get(path, { headers: clients.text })).status;
}

describe('currentEmail', () => {
  test('is a 401 on a page that forgot its guard', async () => {
    const { status, text } = await new Visitor(forkUrl).get('/unguarded', { headers: clients.text });
    expect([status, text]).toEqual([401, 'Please login first.\n']);
    expect(await statusFor('ann@example.com', '/unguarded')).toBe(200);
  });
});

test('a browser that refuses cookies is told so when it has just logged in, and one that has some is not', async () => {
  const { url } = await startApp();
  const words = 'This site needs cookies';
  const { location } = await new Visitor(url).signIn('ann@example.com');
  const refusing = await new Visitor(url, { Accept: 'text/html' }).get(location ?? '');
  expect([refusing.status, refusing.text.includes(words)]).toEqual([401, true]);
  const other = await new Visitor(url, { Accept: 'text/html', Cookie: 'theme=dark' }).get(location ?? '');
  expect([other.status, other.text.includes(words)]).toEqual([401, false]);
});

test('"End" in a session that has ended leads back to the list, which no POST of a form is', async () => {
  const { url } = await startApp();
  const visitor = new Visitor(url, { Accept: 'text/html' });
  await visitor.signIn('ann@example.com');
  const late = visitor.copy();
  await visitor.post('/logout');
  const { status, text } = await late.post('/admin/end-session', { form: { session: 'x' } });
  expect(status).toBe(401);
  const next = /name="next" value="([^"]*)"/.exec(text)?.[1] ?? '/admin';
  const { location } = await late.post('/login', { form: { email: 'ann@example.com', next } });
  expect((await late.get(location ?? '')).status).toBe(200);
});
