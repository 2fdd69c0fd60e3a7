import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { afterEach, describe, expect, test } from 'vitest';
import {
  discardChangesOnError,
  HttpError,
  parseAddress,
  saveSession,
  setFlash,
  signIn,
  takeFlash,
} from '../../src/features/session-store/index.ts';
import { connectNode } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { startPlainApp } from './plain-app.ts';

declare module 'express-session' {
  interface SessionData {
    credit?: number;
  }
}

const redis = await connectNode(await testRedis());
afterEach(() => redis.configSet('maxmemory', '0'));

function addPages(app: Express): void {
  app.post('/login', async (req, res) => {
    const address = parseAddress(req.body?.email);
    if ('problem' in address) throw new HttpError(422, address.problem);
    await signIn(req, address.email, { remember: false });
    res.redirect(303, '/credit');
  });
  app.get('/credit', (req, res) => void res.json([req.session.credit ?? 0, takeFlash(req) ?? null]));
  const giveCredit: RequestHandler = (req, _res, next) => {
    req.session.credit = 100;
    next();
  };
  app.post('/throws', giveCredit, () => {
    throw new Error('a detail');
  });
  app.post('/refuses', giveCredit, () => {
    throw new HttpError(422, 'Not like this.');
  });
  app.post('/answers-502', giveCredit, (_req, res) => void res.status(502).send('the bank does not answer'));
  app.post('/streams-500', giveCredit, (_req, res) => {
    res.writeHead(500).write('half ');
    res.end('whole');
  });
  app.post('/answers-422', giveCredit, (_req, res) => void res.status(422).send('Not like this.'));
  app.post('/saves-first', giveCredit, async (req) => {
    await saveSession(req);
    throw new Error('a detail');
  });
}

/** The app of somebody who has an error handler of their own, and no more. */
const ownHandler: ErrorRequestHandler = (error, _req, res, _next) =>
  void res.status(error.status ?? 500).send('the page for errors');

const plain = await startPlainApp({ redis }, addPages);
const handled = await startPlainApp({ redis }, (app) => {
  addPages(app);
  app.use(ownHandler);
});
const discarding = await startPlainApp({ redis }, (app) => {
  addPages(app);
  app.use(discardChangesOnError, ownHandler);
});
const redirecting = await startPlainApp({ redis }, (app) => {
  addPages(app);
  const goBack: ErrorRequestHandler = (_error, req, res, _next) => {
    setFlash(req, 'That did not work.');
    res.redirect(303, '/credit');
  };
  app.use(discardChangesOnError, goBack);
});

async function signedIn(url: string): Promise<Visitor> {
  const visitor = new Visitor(url);
  await visitor.signIn('ann@example.com');
  return visitor;
}

const creditOf = async (visitor: Visitor) => JSON.parse((await visitor.get('/credit')).text);

describe('a request that fails with a 5xx changes nothing in its session', () => {
  test.each([
    ['/throws', plain, 500],
    ['/throws', handled, 500],
    ['/throws', discarding, 500],
    ['/answers-502', plain, 502],
    ['/streams-500', plain, 500],
  ])('%s', async (path, url, expected) => {
    for (const visitor of [new Visitor(url), await signedIn(url)]) {
      expect((await visitor.post(path)).status).toBe(expected);
      expect(await creditOf(visitor)).toEqual([0, null]);
    }
  });

  test('but what it saved itself before it failed', async () => {
    const visitor = await signedIn(plain);
    expect((await visitor.post('/saves-first')).status).toBe(500);
    expect(await creditOf(visitor)).toEqual([100, null]);
  });

  test.each(['/throws', '/answers-502'])(
    '%s: so its page is what the app answers while Redis is full',
    async (path) => {
      const visitor = await signedIn(handled);
      await redis.configSet('maxmemory', '1');
      const { text } = await visitor.post(path);
      expect(text).toBe(path === '/throws' ? 'the page for errors' : 'the bank does not answer');
    },
  );
});

describe('an error that is answered with another status', () => {
  test('changes nothing with discardChangesOnError in front of the error handlers', async () => {
    const visitor = await signedIn(discarding);
    expect((await visitor.post('/refuses')).status).toBe(422);
    expect(await creditOf(visitor)).toEqual([0, null]);
    await redis.configSet('maxmemory', '1');
    const { status, text } = await visitor.post('/refuses');
    expect([status, text]).toEqual([422, 'the page for errors']);
  });

  test('lets the error handler keep something itself, such as a message', async () => {
    const visitor = await signedIn(redirecting);
    expect((await visitor.post('/throws')).status).toBe(303);
    expect(await creditOf(visitor)).toEqual([0, 'That did not work.']);
  });

  test('is not an answer that a page chose: what that page changed is stored', async () => {
    const visitor = await signedIn(discarding);
    expect((await visitor.post('/answers-422')).status).toBe(422);
    expect(await creditOf(visitor)).toEqual([100, null]);
  });
});
