import type { ErrorRequestHandler } from 'express';
import { expect, test } from 'vitest';
import { InsecureRequest, requireLogin, signIn } from '../../src/features/session-store/index.ts';
import { address } from '../support/address.ts';
import { connectNode } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { startPlainApp } from './plain-app.ts';

const redis = await connectNode(await testRedis());

/** Answers an insecure sign-in with its message. */
function start(trustProxy: number | false): Promise<string> {
  return startPlainApp({ redis, https: true, trustProxy }, (app) => {
    app.post('/login', async (req, res) => {
      await signIn(req, address('ann@example.com'));
      res.redirect(303, '/');
    });
    app.get('/', requireLogin, (_req, res) => void res.send('in'));
    const answer: ErrorRequestHandler = (error, _req, res, next) =>
      error instanceof InsecureRequest ? void res.status(500).send(error.message) : next(error);
    app.use(answer);
  });
}

// What a proxy that speaks TLS sends on.
const visit = (url: string) => new Visitor(url, { 'X-Forwarded-Proto': 'https' });

test('behind a proxy that the app trusts, a visitor signs in with a Secure cookie', async () => {
  const visitor = visit(await start(1));
  const { setCookies } = await visitor.signIn('ann@example.com');
  expect(setCookies).toEqual([expect.stringMatching(/^__Host-session=.*; Secure/)]);
  expect((await visitor.get('/')).text).toBe('in');
});

test('behind one that it does not trust, a sign-in fails in words of Express, not of settings that it has not', async () => {
  const { status, text, setCookies } = await visit(await start(false)).post('/login');
  expect([status, setCookies]).toEqual([500, []]);
  expect(text).toBe('cookies are Secure, but this request did not come by https; is `trust proxy` set?');
});
