import express from 'express';
import { afterAll, expect, test } from 'vitest';
import { expressPrototypes } from '../../src/features/performance/express-prototypes.ts';
import { closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { connect } from '../support/process.ts';
import { listenLocally } from '../support/servers.ts';

const nodeMajor = Number(process.versions.node.split('.')[0]);
const app = express();
app.get('/', (req, res) => {
  res.type('text').send(`${req.path} for ${req.get('X-Name')}`);
});
app.post('/', (req, res) => {
  req.resume().once('end', () => res.send('read'));
});
const server = createHttpServer(app, expressPrototypes(app));
const url = await listenLocally(server);
afterAll(() => closeHttpServer(server));

test('requests and responses are constructed with the prototypes of the app, below Node 24', async () => {
  let constructed: boolean[] = [];
  server.prependOnceListener('request', (req, res) => {
    constructed = [req, res].map((made, index) => {
      return Object.getPrototypeOf(made) === [app.request, app.response][index];
    });
  });
  await fetch(url);
  expect(constructed).toEqual(nodeMajor < 24 ? [true, true] : [false, false]);
});

test('Express works with them, including bodies and kept connections', async () => {
  const answer = await fetch(url, { headers: { 'X-Name': 'Ann' } });
  expect(await answer.text()).toBe('/ for Ann');
  expect(await (await fetch(url, { method: 'POST', body: 'x'.repeat(100_000) })).text()).toBe('read');
  const twice = await connect(url, 'GET /?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /?2 HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(() => twice.received().match(/200 OK/g)).toHaveLength(2);
  twice.socket.destroy();
});
