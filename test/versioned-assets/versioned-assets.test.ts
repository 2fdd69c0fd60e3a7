import fs, { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';
import request from 'supertest';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { versionedAssets } from '../../src/features/versioned-assets/versioned-assets.ts';
import { startApp } from '../support/app.ts';

describe('the URL of a file', () => {
  const directory = mkdtempSync(join(inject('runDirectory'), 'assets-'));
  const file = join(directory, 'style.css');

  test('changes with its content, but not while the process runs', () => {
    writeFileSync(file, 'a {}');
    const { urlOf } = versionedAssets(directory, { reload: false });
    const before = urlOf('style.css');
    writeFileSync(file, 'b {}');
    expect(before).toMatch(/^\/style\.css\?v=[\w-]{10}$/);
    expect(urlOf('style.css')).toBe(before);
    expect(versionedAssets(directory, { reload: false }).urlOf('style.css')).not.toBe(before);
  });

  test('works for a file in a subdirectory', async () => {
    mkdirSync(join(directory, 'fonts'), { recursive: true });
    writeFileSync(join(directory, 'fonts/sans.woff2'), 'letters');
    const { urlOf, serve } = versionedAssets(directory, { reload: false });
    const served = await request(express().use(serve)).get(urlOf('fonts/sans.woff2')).expect(200);
    expect(served.headers['cache-control']).toMatch(/immutable/);
    await request(express().use(serve)).get('/fonts').expect(404);
  });

  test('has no version in development, where files change at any time', async () => {
    const versioned = versionedAssets(directory, { reload: false }).urlOf('style.css');
    const { urlOf, serve } = versionedAssets(directory, { reload: true });
    expect(urlOf('style.css')).toBe('/style.css');
    const served = await request(express().use(serve)).get(versioned).expect(200);
    expect(served.headers['cache-control']).toBe('no-cache');
  });

  test('any other URL costs no look at the disk', async () => {
    const app = express().use(versionedAssets(directory, { reload: false }).serve);
    const stat = vi.spyOn(fs, 'stat');
    onTestFinished(() => stat.mockRestore());
    await request(app).get('/admin').expect(404);
    expect(stat).not.toHaveBeenCalled();
    await request(app).get('/style.css').expect(200);
    expect(stat).toHaveBeenCalled();
  });
});

describe('static files', async () => {
  const { url } = await startApp({ config: { production: true } });

  test('are cached for a year under the URL that pages use', async () => {
    const { text } = await request(url).get('/').expect(200);
    const [stylesheet = ''] = /\/style\.css\?v=[\w-]+/.exec(text) ?? [];
    await request(url)
      .get(stylesheet)
      .expect(200)
      .expect('Content-Type', 'text/css; charset=utf-8')
      .expect('Cache-Control', 'public, max-age=31536000, immutable');
  });

  test.each(['/style.css?v=other', '/style.css?v=', '/style.css?v=other&v=more'])(
    'are not cached under a version that is not ours: %s',
    async (path) => {
      await request(url).get(path).expect(200).expect('Cache-Control', 'no-cache');
    },
  );

  test('are revalidated under their plain name, and not sent again if unchanged', async () => {
    const { headers } = await request(url).get('/style.css').expect(200).expect('Cache-Control', 'no-cache');
    await request(url)
      .get('/style.css')
      .set('If-None-Match', headers.etag ?? '')
      .expect(304);
  });
});
