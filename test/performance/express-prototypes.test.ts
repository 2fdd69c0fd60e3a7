import { afterAll, expect, test } from 'vitest';
import { expressPrototypes } from '../../src/features/performance/express-prototypes.ts';
import { closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { app, expectServed } from '../http/express-tests.ts';
import { listenLocally } from '../support/servers.ts';

const nodeMajor = Number(process.versions.node.split('.')[0]);
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
  await expectServed(url);
});
