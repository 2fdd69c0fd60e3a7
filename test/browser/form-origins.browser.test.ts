import { createServer } from 'node:http';
import express from 'express';
import { afterAll, expect, test } from 'vitest';
import { securityHeaders } from '../../src/middleware/security-headers.ts';
import { heading, useTab } from '../support/browsing.ts';
import { listenLocally } from '../support/servers.ts';

// An identity provider, which forwards visitors to another host of its own.
const forwarding = createServer((_req, res) => res.writeHead(302, { Location: `${signInUrl}/` }).end());
const signInPage = createServer((_req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/html' });
  res.end('<!doctype html><link rel="icon" href="data:,"><h1>The provider</h1>');
});
const [providerUrl, signInUrl] = [await listenLocally(forwarding), await listenLocally(signInPage)];
const sites = await Promise.all([siteThatNames(providerUrl, signInUrl), siteThatNames(providerUrl)]);
const [complete, incomplete] = sites;
afterAll(() => {
  for (const server of [forwarding, signInPage, complete.server, incomplete.server]) {
    server.close().closeAllConnections();
  }
});

async function siteThatNames(...formOrigins: string[]) {
  const app = express();
  app.use(securityHeaders({ https: false, identityProvider: { formOrigins } }));
  app.get(
    '/',
    (_req, res) => void res.send('<!doctype html><h1>Login</h1><form method="post"><button>Go</button></form>'),
  );
  app.post('/', (_req, res) => res.redirect(303, `${providerUrl}/`));
  app.get('/favicon.ico', (_req, res) => void res.status(204).end());
  const server = createServer(app);
  return { server, url: await listenLocally(server) };
}

const tab = useTab(() => [complete.url, incomplete.url, providerUrl, signInUrl], { expectedNoise: /form-action/ });

test('a form leads on to every origin that an identity provider names', async () => {
  const page = await tab.reset();
  await page.goto(complete.url);
  await page.getByRole('button').click();
  await page.waitForURL(`${signInUrl}/`);
  expect(await heading(page)).toBe('The provider');
});

test('a form does nothing where it is redirected to an origin that is not named', async () => {
  const page = await tab.reset();
  await page.goto(incomplete.url);
  const refusal = page.waitForEvent('console', (message) => message.text().includes('form-action'));
  await page.getByRole('button').click();
  await refusal;
  expect(await heading(page)).toBe('Login');
});
