import { expect, test } from 'vitest';
import { triesText } from '../../src/features/email-code/answers.ts';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { clients } from '../support/client.ts';
import type { Visit } from '../support/visitor.ts';
import { askForCode, enterCode, newAddress, newBrowser, startCodeApp, wrongCode } from './code-login.ts';

const { url, mails } = await startCodeApp();

function asText({ status, headers, text }: Visit): [number, string | null, string] {
  return [status, headers.get('Content-Type'), text];
}

test('a client of text is told what is wrong, to wait, and that a code is over', async () => {
  const browser = newBrowser(url, clients.text);
  const email = newAddress();
  await askForCode(browser, email);
  const code = await mails.codeFor(email);
  const plain = 'text/plain; charset=utf-8';
  const problem = 'That is not the code. If you got several mails, use the newest one. You have four tries left.\n';
  expect(asText(await enterCode(browser, wrongCode(code)))).toEqual([422, plain, problem]);
  expect((await enterCode(browser, code)).status).toBe(200);
  await browser.post('/logout');
  const notice = 'That code can no longer be used. Ask for a new one here.\n';
  expect(asText(await enterCode(browser, code))).toEqual([422, plain, notice]);
});

test('a client of JSON is told the field of what is wrong, and where to start again', async () => {
  const browser = newBrowser(url, clients.json);
  await askForCode(browser, newAddress());
  const problem = await browser.post('/login/code', { json: { code: 'x' } });
  const error = 'Enter the eight digits of the code.';
  expect([problem.status, JSON.parse(problem.text)]).toEqual([422, { error, field: 'code' }]);
  const over = await newBrowser(url, clients.json).post('/login/code', { json: { code: 'x' } });
  const notice = 'That code can no longer be used. Ask for a new one here.';
  expect([over.status, JSON.parse(over.text)]).toEqual([422, { error: notice, startAt: '/login' }]);
});

test('the page links to the other sign-ins of its browser', async () => {
  const browser = newBrowser(url);
  const [ann, bob] = [newAddress(), newAddress()];
  for (const email of [ann, bob]) await askForCode(browser, email);
  const { text } = await browser.get('/login/code');
  expect(text).toContain(`<a href="/login/code?for=${tagOf(ann)}">${ann}</a>`);
});

test.each(['text', 'json'] as const)('a client of %s that asks again too often is told to wait', async (kind) => {
  const browser = newBrowser(url, clients[kind]);
  await askForCode(browser, newAddress());
  const [{ points }] = rateLimits.asksPerClient;
  for (let times = 1; times < points; times += 1) expect((await browser.post('/login/code/again')).status).toBe(202);
  const visit = await browser.post('/login/code/again');
  const error = 'Too many attempts. Please try again in 10 minutes.';
  const type = { text: 'text/plain', json: 'application/json' }[kind];
  const body = { text: `${error}\n`, json: JSON.stringify({ error }) }[kind];
  expect(asText(visit)).toEqual([429, `${type}; charset=utf-8`, body]);
});

test('the tries that are left are in words', () => {
  expect([1, 2, 3, 4].map(triesText)).toEqual([
    'You have one try left.',
    'You have two tries left.',
    'You have three tries left.',
    'You have four tries left.',
  ]);
});
