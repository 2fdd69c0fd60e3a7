import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import express from 'express';
import request, { type Test } from 'supertest';
import { describe, expect, inject, test } from 'vitest';
import { inlineStyles } from '../../src/features/inline-styles/inline-styles.ts';
import { startApp } from '../support/app.ts';
import { ask, signedIn } from '../support/client.ts';

const app = await startApp({ config: { production: true } });
const { url } = app;
const sourceOf = (css: string) => `'sha256-${createHash('sha256').update(css).digest('base64')}'`;

async function look(asked: Test) {
  const { text, headers } = await asked;
  return {
    styles: [...text.matchAll(/<style>(.*?)<\/style>/gs)].map(([, css = '']) => css),
    media: [...text.matchAll(/<link rel="stylesheet" href="[^"]+" media="(\w+)">/g)].map(([, media]) => media),
    sources: /style-src ([^;]*)/.exec(headers['content-security-policy'] ?? '')?.[1],
  };
}

describe('a browser without a cookie', () => {
  test.each(['/', '/login', '/admin', '/nowhere'])('gets the style sheet in the page, at %s', async (path) => {
    const { styles, media, sources } = await look(ask(url, 'get', path));
    expect(styles).toHaveLength(1);
    expect(sources).toBe(`'self' ${sourceOf(styles[0] ?? '')}`);
    expect(media).toEqual(['print']);
  });

  // feature: branding
  test('gets the colors of the site with it', async () => {
    const branded = await startApp({ env: { SITE_COLOR: '#0b6e4f' } });
    const { styles, media, sources } = await look(ask(branded.url, 'get', '/'));
    expect(styles).toEqual([expect.stringContaining('#0b6e4f')]);
    expect(sources).toBe(`'self' ${sourceOf(styles[0] ?? '')}`);
    expect(media).toEqual(['print', 'print']);
  });
  // end: branding

  test.each(['/', '/login'])(
    'gets all that %s is painted with in ten segments, even if no proxy compresses',
    async (path) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.end(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      // TLS adds 22 bytes to each record, and a proxy a header or two.
      expect(Buffer.byteLength(await readText(socket))).toBeLessThan(10 * 1460 - 400);
    },
  );

  test('gets no other policy with an answer that is no page', async () => {
    const { sources } = await look(ask(url, 'get', '/nowhere').set('Accept', 'application/json'));
    expect(sources).toBe("'self'");
  });
});

test.each(['session=s%3Aforged.forged', 'other=1'])('a browser that sends %s gets a link', async (cookie) => {
  const expected = { styles: [], media: ['all'], sources: "'self'" };
  for (const path of ['/', '/login', '/admin']) {
    expect(await look(ask(url, 'get', path).set('Cookie', cookie))).toEqual(expected);
  }
});

test('a signed-in page links to the style sheet', async () => {
  const visitor = await signedIn(url);
  expect(await look(ask(url, 'get', '/admin', visitor))).toEqual({ styles: [], media: ['all'], sources: "'self'" });
});

describe('a style sheet', () => {
  const directory = mkdtempSync(join(inject('runDirectory'), 'styles-'));
  const inlined = async (css: string) => {
    writeFileSync(join(directory, 'style.css'), css);
    const shop = express().use(inlineStyles(directory, { reload: false }));
    shop.use((_req, res) => res.send(res.locals.inlineStyle()));
    return (await request(shop).get('/')).text;
  };

  test.each([
    ['a  ,\n b\t>  c { color : red;\n\n  margin: 0 auto ; }\n', 'a ,b > c{color :red;margin:0 auto}'],
    ['.bar nav :hover { top: calc(1px + 2px); }', '.bar nav :hover{top:calc(1px + 2px)}'],
    ['a { } /* b { } */ c /* : */ d { }', 'a{}c d{}'],
    [`q { content: "a: b;  } \\" /* */ '"; quotes: ' { '; }`, `q{content:"a: b;  } \\" /* */ '";quotes:' { '}`],
  ])('keeps its meaning: %s', async (css, compact) => {
    expect(await inlined(css)).toBe(compact);
  });

  test('cannot end the element that it stands in', async () => {
    expect(await inlined('a { content: "</style><script>"; }')).toBe('a{content:"<\\/style><script>"}');
  });
});
