import { createServer } from 'node:http';
import express from 'express';
import { expect, test } from 'vitest';
import type { CodeMails } from '../../src/features/email-code/code-mails.ts';
import { CodeCookies } from '../../src/features/email-code/cookies.ts';
import { KnownBrowsers } from '../../src/features/email-code/known-browsers.ts';
import { noticeNewBrowser } from '../../src/features/email-code/new-browser.ts';
import { newSessionId, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { afterwards } from '../support/afterwards.ts';
import { startApp, testSecret } from '../support/app.ts';
import { listenLocally } from '../support/servers.ts';
import { Visitor } from '../support/visitor.ts';
import { newAddress } from './code-login.ts';

const { redis } = await startApp();
const knownBrowsers = new KnownBrowsers(redis, [testSecret]);
const proof = { means: 'a key', advice: 'Then remove the key.' };

type Prepared = Parameters<CodeMails['prepareNotice']>;

test('a browser that signs in by other means is new until its notice is accepted, and then known', async () => {
  const email = address(newAddress());
  const tag = tagOf(email);
  const sessionId = newSessionId(tag);
  const prepared: Prepared[] = [];
  const mails: Pick<CodeMails, 'prepareNotice'> = {
    async prepareNotice(...args) {
      prepared.push(args);
      return async () => {};
    },
  };
  const cookies = new CodeCookies(false);
  const codes = { cookies, knownBrowsers, origin: 'https://login.example.com' };
  const notice = noticeNewBrowser(codes, mails);
  const site = express().use(async (req, res) => {
    const announce = await notice(req, res, { email, remember: true, sessionId, proof });
    await announce();
    res.end();
  });
  const server = createServer(site);
  afterwards(() => server.close());
  const browser = new Visitor(await listenLocally(server));

  await browser.get('/');
  const deviceId = knownBrowsers.idIn(browser.cookies.get('device'), tag) ?? '';
  expect(deviceId).toHaveLength(22);
  expect(prepared).toMatchObject([
    [{ email, remember: true, sessionId, deviceId }, { origin: 'https://login.example.com' }, proof],
  ]);
  expect(await knownBrowsers.isKnown(tag, deviceId)).toBe(false);

  // Its owner has not been told yet.
  await browser.get('/');
  expect(prepared).toHaveLength(2);
  const again = knownBrowsers.idIn(browser.cookies.get('device'), tag) ?? '';
  expect(again).not.toBe(deviceId);

  await knownBrowsers.confirm(tag, again);
  await browser.get('/');
  expect(prepared).toHaveLength(2);
  expect(knownBrowsers.idIn(browser.cookies.get('device'), tag)).toBe(again);
  expect(await knownBrowsers.isKnown(tag, again)).toBe(true);
});
