import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { Visitor } from '../support/visitor.ts';
import { newFile, svg } from './pictures.ts';

const app = await startApp({ env: { SITE_LOGO: newFile('logo.svg', svg()), SITE_COLOR: '#FFD400' } });
const page = (await new Visitor(app.url).get('/')).text;
const urlIn = (pattern: RegExp, text = page) => pattern.exec(text)?.[1] ?? 'missing';
const sheet = urlIn(/href="(\/branding\/colors\.css[^"]*)"/);
const logo = urlIn(/<img src="(\/branding\/logo[^"]*)"/);

describe('a page', () => {
  test('has the logo in its head and as its icon, and the color for the browser', () => {
    expect(page).toContain(`<img src="${logo}" alt="" width="56" height="28">`);
    expect(page).toContain(`<link rel="icon" href="${logo}" type="image/svg+xml">`);
    expect(page).toContain('<meta name="theme-color" content="#ffd400">');
    expect(page).not.toContain('favicon');
    expect(page).not.toMatch(/ style=/);
  });

  test('comes without either as it was, with neither setting', async () => {
    const { url } = await startApp();
    const { text } = await new Visitor(url).get('/');
    expect(text).not.toContain('/branding/');
    expect(text).toContain('favicon.svg');
    await request(url).get('/branding/colors.css').expect(404);
  });

  test('has our own icon in the color of a site without a logo', async () => {
    const { url } = await startApp({ env: { SITE_COLOR: '#0b6e4f' } });
    const own = urlIn(/<img src="(\/branding\/logo[^"]*)"/, (await new Visitor(url).get('/')).text);
    const { body } = await request(url)
      .get(own)
      .expect('Content-Type', /^image\/svg\+xml/);
    expect(String(body)).toContain('fill="#0b6e4f"');
  });
});

describe('the files', () => {
  test.each([sheet, logo])('%s is kept for a year under its hash, and asked for again under another', async (path) => {
    const { headers } = await request(app.url)
      .get(path)
      .expect(200)
      .expect('Cache-Control', /max-age=31536000, immutable/);
    const older = path.replace(/v=.*/, 'v=older');
    await request(app.url).get(older).expect(200).expect('Cache-Control', 'no-cache');
    await request(app.url)
      .get(older)
      .set('If-None-Match', headers.etag ?? '')
      .expect(304);
    await request(app.url).head(path).expect(200);
    expect(headers['set-cookie']).toBeUndefined();
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  test('an SVG may run and load nothing, where it is opened by itself', async () => {
    const { headers } = await request(app.url)
      .get(logo)
      .expect('Content-Type', /^image\/svg\+xml/);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; .*sandbox/);
    expect(headers['content-security-policy']).not.toContain('script-src');
  });
});

test('the log says which color is used where the given one is hard to read', () => {
  const [line, ...others] = app.logged().filter(({ msg }) => String(msg).startsWith('SITE_COLOR'));
  expect(others).toEqual([]);
  expect(line).toMatchObject({
    level: 40,
    color: '#ffd400',
    used: expect.stringMatching(/^#[\da-f]{6}$/),
    contrast: 1.31,
  });
  expect(line?.msg).toBe(`SITE_COLOR is hard to read on the light background: ${line?.used} is used there`);
});
