import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import express, { type ErrorRequestHandler } from 'express';
import request from 'supertest';
import { expect, inject, test } from 'vitest';
import { tuneExpress } from '../../src/features/performance/performance.ts';
import { formatTime, isoTime } from '../../src/http/date-format.ts';
import { registerEjs } from '../../src/http/view-engine.ts';

const directory = mkdtempSync(join(inject('runDirectory'), 'pages-'));
const view = '<%= locals.site %> <%= locals.visitor %> <%= locals.name %> · é €';
writeFileSync(join(directory, 'page.ejs'), view);
writeFileSync(join(directory, 'page.text'), 'of another engine');
writeFileSync(join(directory, 'broken.ejs'), '<%= locals.missing.name %>');

const plain = appWith(() => {});
const tuned = appWith((app) => void tuneExpress(app, { directory, reload: false }));

function appWith(tune: (app: express.Express) => void): express.Express {
  const app = express();
  app.disable('etag').disable('x-powered-by');
  app.locals.words = { formatTime, isoTime };
  registerEjs(app, { directory, reload: false });
  tune(app);
  Object.assign(app.locals, { site: 'app', visitor: 'app', name: 'app' });
  app.engine('text', (path, _locals, done) => done(null, readFileSync(path, 'utf8')));
  app.use((_req, res, next) => {
    Object.assign(res.locals, { visitor: '<Ann>', name: 'response' });
    next();
  });
  app.get('/', (_req, res) => res.render('page', { name: 'page' }));
  app.get('/common', (_req, res) => res.render('page'));
  app.get('/text', (_req, res) => res.type('text').render('page'));
  app.get('/status/:status', (req, res) => res.status(Number(req.params.status)).render('page'));
  app.get('/callback', (_req, res) => res.render('page', {}, (error, page) => void res.json({ error, page })));
  app.get('/short', (_req, res) =>
    res.render('page', (error: Error | null, page: string) => void res.json({ error, page })),
  );
  app.get('/broken', (_req, res) => res.render('broken'));
  app.get('/late', (_req, res) => void setImmediate(() => res.render('broken')));
  app.get('/named', (_req, res) => res.render('page.text'));
  app.get('/missing', (_req, res) => res.render('missing'));
  const explain: ErrorRequestHandler = (error, _req, res, _next) => void res.status(500).json({ error: error.name });
  app.use(explain);
  return app;
}

test.each([
  ['get', '/', {}],
  ['head', '/', {}],
  ['get', '/common', {}],
  ['get', '/', { 'If-None-Match': '*' }],
  ['get', '/', { 'If-None-Match': '"x"' }],
  ['get', '/', { 'If-Modified-Since': new Date().toUTCString() }],
  ['get', '/text', {}],
  ...[203, 204, 205, 304, 404, 503].map((status) => ['get', `/status/${status}`, {}] as const),
  ['head', '/status/404', {}],
  ['get', '/callback', {}],
  ['get', '/short', {}],
  ['get', '/broken', {}],
  ['get', '/late', {}],
  ['get', '/missing', {}],
  ['get', '/named', {}],
] as const)('%s %s with %j is answered as by Express', async (method, path, headers) => {
  const [ours, theirs] = await Promise.all(
    [tuned, plain].map(async (app) => {
      const answer = await request(app)[method](path).set(headers).buffer();
      const { date, ...others } = answer.headers;
      return { status: answer.status, headers: others, text: answer.text, body: answer.body };
    }),
  );
  expect(ours).toEqual(theirs);
});

test('a page reads what its route, the request and the app say, in this order', async () => {
  expect((await request(tuned).get('/')).text).toBe('app &lt;Ann&gt; page · é €');
  expect((await request(tuned).get('/common')).text).toBe('app &lt;Ann&gt; response · é €');
});

test('an app that has another view engine, or another directory of views, gets its own views', async () => {
  const other = mkdtempSync(join(inject('runDirectory'), 'other-pages-'));
  writeFileSync(join(other, 'page.ejs'), 'of another directory');
  const engine = appWith((app) => void tuneExpress(app, { directory, reload: false })).set('view engine', 'text');
  expect((await request(engine).get('/')).text).toBe('of another engine');
  const views = appWith((app) => void tuneExpress(app, { directory, reload: false })).set('views', [other, directory]);
  expect((await request(views).get('/')).text).toBe('of another directory');
});
