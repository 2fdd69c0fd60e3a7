import ejs from 'ejs';
import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, signedIn } from '../support/client.ts';
import { pathOf } from '../support/documents.ts';

test("the page of the bench's peers loads and offers what Latchkey's does", async () => {
  const { url } = await startApp();
  const { text: own } = await ask(url, 'get', '/', await signedIn(url)).expect(200);
  const peers = await ejs.renderFile(pathOf('bench/peers/views/home.ejs'), { email: 'ann@example.com' });
  expect(partsOf(peers)).toEqual(partsOf(own));
});

/** Every element and address of a page, without the versions of its assets. */
function partsOf(page: string): string[] {
  return [...page.matchAll(/<\w+|(?:href|src|action)="([^"?]*)/g)].map(([part]) => part);
}
