import { expect, test } from 'vitest';
import { parseUrl } from '../../src/http/url.ts';

test('a URL beyond ASCII is read however often it is asked for', () => {
  const texts = ['https://bücher.example/é', 'https://example.com/'];
  const isRead = (text: string) => parseUrl(text) !== undefined;
  // Node 20's own URL.canParse goes wrong after some ten thousand calls, once it has been optimized.
  let refused = 0;
  for (let calls = 0; calls < 100_000; calls += 1) if (!isRead(texts[calls % 2] ?? '')) refused += 1;
  expect(refused).toBe(0);
  expect(parseUrl('https://')).toBeUndefined();
});
