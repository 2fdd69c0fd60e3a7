import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { HttpError } from '../../src/http/http-error.ts';
import { sessionKey } from '../../src/session/session-id.ts';
import { saveSession } from '../../src/session/sign-in.ts';
import { connectNode, startApp } from '../support/app.ts';
import { clients } from '../support/client.ts';
import { gate, startFork } from '../support/fork.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

// Named so that they don't contradict what a fork declares.
declare module 'express-session' {
  interface SessionData {
    testTheme?: string;
  }
}

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const { redis } = app;

let arrived = gate();
let mayGoOn = gate();
const chunks = Array.from({ length: 50 }, (_, number) => `${number} `.repeat(2000));

// On a connection of its own: a paused one would keep the test's commands waiting as well.
const forkUrl = await startFork(await connectNode(redisAddress), (fork) => {
  fork.get('/theme', (req, res) => void res.send(String(req.session.testTheme)));
  fork.post('/redirect', (req, res) => {
    req.session.testTheme = 'dark';
    res.cookie('seen', '1').redirect(303, '/theme');
  });
  fork.post('/json', (req, res) => {
    req.session.testTheme = 'dark';
    res.json({ saved: true });
  });
  fork.post('/stream', async (req, res) => {
    req.session.testTheme = 'dark';
    await pipeline(Readable.from(chunks), res);
  });
  fork.post('/stream-then-change', (req, res) => {
    res.write('begun ');
    req.session.testTheme = 'dark';
    res.end('done');
  });
  fork.post('/explicitly', async (req, res) => {
    req.session.testTheme = 'dark';
    await saveSession(req);
    res.send('saved');
  });
  fork.post('/slow', async (req, res) => {
    arrived.open();
    await mayGoOn.opened;
    req.session.testTheme = 'dark';
    res.redirect(303, '/theme');
  });
  fork.post('/refuse', (req) => {
    req.session.testTheme = 'dark';
    throw new HttpError(422, 'Choose another one.');
  });
  fork.post('/answer/:status', (req, res) => {
    req.session.testTheme = 'dark';
    res.sendStatus(Number(req.params.status));
  });
  fork.post('/answer-then-fail', (req, res) => {
    req.session.testTheme = 'dark';
    res.redirect(303, '/theme');
    throw new Error('after the answer');
  });
  fork.post('/wait-for-drain', (req, res) => {
    req.session.testTheme = 'dark';
    const mayGoOn = res.write('held ');
    res.once('drain', () => {
      res.end(`write said ${mayGoOn}`);
    });
  });
  fork.post('/in-parts', (req, res) => {
    req.session.testTheme = 'dark';
    res.write('one ');
    res.write('two ');
    res.end('three');
  });
  fork.post('/end', (req, res) => {
    req.session.testTheme = 'dark';
    res.end(String(res.end('first') === res));
  });
  fork.post('/end-again/:how', (req, res) => {
    req.session.testTheme = 'dark';
    res.json({ saved: true });
    const again: Record<string, () => void> = {
      nothing: () => res.end(),
      empty: () => res.end(''),
      flush: () => res.flushHeaders(),
      callback: () => res.end(() => {}),
      'nothing, then a page': () => res.end() && res.send('the page'),
      'an empty page': () => res.send(''),
    };
    again[req.params.how]?.();
  });
  fork.post('/flush-headers', (req, res) => {
    req.session.testTheme = 'dark';
    res.cookie('seen', '1').type('text').flushHeaders();
    res.end('flushed');
  });
  fork.post('/headers-first', async (req, res) => {
    req.session.testTheme = 'dark';
    res.flushHeaders();
    await mayGoOn.opened;
    res.end('and then the rest');
  });
  fork.post('/unsendable/:how', (req, res) => {
    req.session.testTheme = 'dark';
    const answer: Record<string, () => void> = {
      'a number at the end': () => Reflect.apply(res.end, res, [5]),
      'a number in between': () => Reflect.apply(res.write, res, [5]) || res.end(),
      'a line break in the status': () => Object.assign(res, { statusMessage: 'a\nb' }).end('done'),
    };
    answer[req.params.how]?.();
  });
  fork.post('/circle', (req, res) => {
    Object.assign(req.session, { circle: req.session });
    res.redirect(303, '/theme');
  });
});

let visitor: Visitor;
beforeEach(async () => {
  visitor = new Visitor(app.url);
  await visitor.signIn('ann@example.com');
  visitor = visitor.copy(forkUrl);
});
afterEach(async () => {
  await redis.sendCommand(['CLIENT', 'UNPAUSE']);
  await redis.configSet('maxmemory', '0');
});

// Without keep-alive, since a stream that is refused halfway takes its connection with it.
const post = (path: string) => visitor.post(path, { headers: { ...clients.text, Connection: 'close' } });
const theme = async () => (await visitor.get('/theme')).text;

describe('a response to a request that changed its session', () => {
  test.each(['/redirect', '/json', '/explicitly', '/stream-then-change', '/flush-headers'])(
    '%s leaves once it is stored',
    async (path) => {
      const { status } = await post(path);
      expect([status, await theme()]).toEqual([path === '/redirect' ? 303 : 200, 'dark']);
    },
  );

  test('arrives whole when it is streamed', async () => {
    const { status, text } = await post('/stream');
    expect([status, text === chunks.join(''), await theme()]).toEqual([200, true, 'dark']);
  });

  test.each(['/redirect', '/json', '/stream', '/explicitly', '/flush-headers'])(
    '%s is a 503 when Redis is full, and carries nothing of what the page prepared',
    async (path) => {
      await redis.configSet('maxmemory', '1');
      const { status, text, location, setCookies, headers } = await post(path);
      expect({ status, text, location, setCookies }).toEqual({
        status: 503,
        text: 'That did not work just now. Please try again in a few seconds.\n',
        location: null,
        setCookies: [],
      });
      expect(headers.get('Content-Type')).toBe('text/plain; charset=utf-8');
      expect(headers.has('X-Request-Id')).toBe(true);
      expect(await theme()).toBe('undefined');
    },
  );

  test('asks its page to wait until it is stored, as a stream does whose buffer is full', async () => {
    expect((await post('/wait-for-drain')).text).toBe('held write said false');
  });

  test('sends its headers once it is stored, before its page has more to say', async () => {
    mayGoOn = gate();
    const headers = { ...clients.text, Cookie: visitor.cookieHeader, Origin: forkUrl };
    const response = await fetch(`${forkUrl}/headers-first`, { method: 'POST', headers });
    expect([response.status, await theme()]).toEqual([200, 'dark']);
    mayGoOn.open();
    expect(await response.text()).toBe('and then the rest');
  });

  test('arrives whole when its page does not wait', async () => {
    expect((await post('/in-parts')).text).toBe('one two three');
  });

  test('ended twice, has the body of the second end()', async () => {
    expect((await post('/end')).text).toBe('true');
  });

  test.each([
    ['nothing', '{"saved":true}'],
    ['empty', '{"saved":true}'],
    ['flush', '{"saved":true}'],
    ['callback', '{"saved":true}'],
    ['nothing, then a page', 'the page'],
    ['an empty page', ''],
  ])('ended again with %s, has the body that its headers announce', async (how, body) => {
    const { status, text, headers } = await post(`/end-again/${how}`);
    const length = headers.get('Content-Length');
    expect({ status, text, length }).toEqual({ status: 200, text: body, length: String(body.length) });
  });

  test('is a 503 when Redis takes no writes in time', async () => {
    await redis.sendCommand(['CLIENT', 'PAUSE', '5000', 'WRITE']);
    const { status, location } = await post('/redirect');
    expect([status, location]).toEqual([503, null]);
  });

  test('is cut off when its first bytes had left before the change, and the save fails', async () => {
    await redis.configSet('maxmemory', '1');
    await expect(post('/stream-then-change')).rejects.toThrow();
  });

  test('is a 401 when the session has ended meanwhile', async () => {
    [arrived, mayGoOn] = [gate(), gate()];
    const answer = post('/slow');
    await arrived.opened;
    await visitor.copy(app.url).post('/logout');
    mayGoOn.open();
    const { status, text, location } = await answer;
    expect([status, text, location]).toEqual([401, 'Your session has ended. Please login first.\n', null]);
  });

  test.each(['a number at the end', 'a number in between', 'a line break in the status'])(
    'is a 500 when Node does not send it, because of %s, and no end of the process',
    async (how) => {
      const unhandled: unknown[] = [];
      const noteUnhandled = (error: unknown) => unhandled.push(error);
      process.on('unhandledRejection', noteUnhandled);
      onTestFinished(() => void process.off('unhandledRejection', noteUnhandled));
      const answer = post(`/unsendable/${how}`).then(({ status }) => status);
      await expect.poll(() => theme()).toBe('dark');
      expect(unhandled).toEqual([]);
      expect(await answer).toBe(500);
    },
  );

  test('is a 500 when the session cannot be stored at all', async () => {
    const { status, location } = await post('/circle');
    expect([status, location, await theme()]).toEqual([500, null, 'undefined']);
  });
});

describe('a request that fails', () => {
  test('changes nothing in its session', async () => {
    const { status, text } = await post('/refuse');
    expect([status, text, await theme()]).toEqual([422, 'Choose another one.\n', 'undefined']);
  });

  test.each(['500', '503'])('with a %s that no error handler has sent changes nothing either', async (status) => {
    expect([(await post(`/answer/${status}`)).status, await theme()]).toEqual([Number(status), 'undefined']);
    expect([(await post('/answer/499')).status, await theme()]).toEqual([499, 'dark']);
  });

  test('after it has answered, is answered by the error page', async () => {
    const { status, text } = await post('/answer-then-fail');
    expect([status, text]).toEqual([500, 'Something went wrong on our side. Please try again.\n']);
  });
});

test('a change keeps the time that its session has left, and the later time of last use', async () => {
  const key = sessionKey(visitor.sessionId);
  await redis.pExpire(key, 60_000);
  [arrived, mayGoOn] = [gate(), gate()];
  const answer = post('/slow');
  await arrived.opened;
  const later = (Math.floor(Date.now() / 1000) + 10).toString(16);
  await redis.setRange(key, 0, later);
  mayGoOn.open();
  expect((await answer).status).toBe(303);
  expect(await redis.get(key)).toMatch(new RegExp(`^${later}.*\n.*\n{"testTheme":"dark"}$`));
  const leftMs = await redis.pTTL(key);
  expect(leftMs).toBeGreaterThan(0);
  expect(leftMs).toBeLessThanOrEqual(60_000);
});
