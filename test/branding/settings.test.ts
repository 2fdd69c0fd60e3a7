import { expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { newDirectory } from '../support/process.ts';
import { problemsOf, production } from '../support/settings.ts';
import { newFile, png, svg } from './pictures.ts';

const logoOf = (content: string | Uint8Array, name = 'logo') =>
  readConfig({ SITE_LOGO: newFile(name, content) }).branding.logo;

test.each([
  ['an SVG', svg(), { type: 'image/svg+xml', aspect: 2 }],
  ['an SVG with a size and no viewBox', svg().replace(/viewBox="[^"]*"/, 'width="90px" height="30"'), { aspect: 3 }],
  ['a PNG, whatever its name', png(60, 20), { type: 'image/png', aspect: 3 }],
])('%s is a logo', (_what, content, expected) => {
  expect(logoOf(content, 'logo.txt')).toMatchObject(expected);
});

const noPicture = 'this one is neither, or is damaged';
test.each([
  ['a file that is not there', '/nowhere/logo.svg', "that can be read; this one can't"],
  ['a directory', newDirectory('branding-'), "that can be read; this one can't"],
  ['a device without end', '/dev/zero', 'a device; name a regular file'],
  ['an empty file', newFile('logo.svg', ''), noPicture],
  ['a text', newFile('logo.png', 'not a picture'), noPicture],
  ['a page that holds a picture', newFile('logo.svg', `<!doctype html><body>${svg()}</body>`), noPicture],
  ['an SVG with entities', newFile('a.svg', svg().replace('<svg', '<!DOCTYPE svg [<!ENTITY a "b">]><svg')), noPicture],
  ['an SVG without a namespace', newFile('a.svg', '<svg viewBox="0 0 1 1"></svg>'), noPicture],
  ['an SVG that is cut off', newFile('a.svg', svg().slice(0, -12)), noPicture],
  ['a PNG that is cut off', newFile('a.png', png(40, 40).subarray(0, -20)), noPicture],
  ['a PNG whose data is damaged', newFile('a.png', png(40, 40).fill(7, 45, 55)), noPicture],
  ['another kind of picture', newFile('a.gif', 'GIF89a\u0001\u0000\u0001\u0000'), noPicture],
  ['a file that is too large', newFile('a.svg', svg(' '.repeat(200_000))), 'of at most 200 kB; this one has'],
  ['a banner', newFile('a.svg', svg('', '0 0 900 100')), 'at most 8 times as wide'],
])('%s is refused as a logo at start, with the fix', (_what, path, reason) => {
  const [problem = '', ...others] = problemsOf({ ...production, SITE_LOGO: path });
  expect(others).toEqual([]);
  expect(problem).toMatch(/^SITE_LOGO takes the path of an SVG or PNG file/);
  expect(problem).toContain(reason);
});

test.each(['red', '#fff', '#12345g', '3056d3', '#3056d3ff', '#3056d3;}body{color:red'])('%j is no color', (text) => {
  expect(problemsOf({ ...production, SITE_COLOR: text })).toEqual([
    'SITE_COLOR takes a color as #rrggbb, such as #0b6e4f',
  ]);
});
