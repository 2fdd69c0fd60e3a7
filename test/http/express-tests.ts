import express from 'express';
import { expect } from 'vitest';
import { connect } from '../support/process.ts';

/** An app that uses Express's own properties of requests and responses. */
export const app = express();
app.get('/', (req, res) => {
  res.type('text').send(`${req.path} for ${req.get('X-Name')}`);
});
app.post('/', (req, res) => {
  req.resume().once('end', () => res.send('read'));
});

/** That app is served whole, including bodies and kept connections. */
export async function expectServed(url: string): Promise<void> {
  const answer = await fetch(url, { headers: { 'X-Name': 'Ann' } });
  expect(await answer.text()).toBe('/ for Ann');
  expect(await (await fetch(url, { method: 'POST', body: 'x'.repeat(100_000) })).text()).toBe('read');
  const twice = await connect(url, 'GET /?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /?2 HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(() => twice.received().match(/200 OK/g)).toHaveLength(2);
  twice.socket.destroy();
}
