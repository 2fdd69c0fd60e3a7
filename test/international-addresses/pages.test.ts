import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, signedIn } from '../support/client.ts';

const { url } = await startApp();

test.each(['/', '/admin', '/logout'])(
  '%s shows an address at an international domain the way it is written',
  async (path) => {
    const visitor = await signedIn(url, 'ann@xn--bcher-kva.example');
    const { text } = await ask(url, 'get', path, visitor).set('Sec-Fetch-Site', 'cross-site').expect(200);
    expect(text).toContain('ann@bücher.example');
    expect(text).not.toContain('xn--');
  },
);
