// `npm run icons`: public/favicon.ico and public/apple-touch-icon.png, from public/favicon.svg.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../test/support/browser.ts';

const directory = fileURLToPath(new URL('../public/', import.meta.url));
const svg = readFileSync(`${directory}favicon.svg`, 'utf8');
// iOS rounds the corners itself, and shows what is transparent as black.
const square = svg.replace(/ rx="\d+"/, '');

const browser = await launchChromium();
try {
  writeFileSync(`${directory}apple-touch-icon.png`, await render(browser, square, 180));
  writeFileSync(`${directory}favicon.ico`, ico(await render(browser, svg, 32), 32));
} finally {
  await browser.close();
}

async function render(browser: Browser, image: string, size: number): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>body { margin: 0 } svg { display: block; width: ${size}px }</style>${image}`);
  const png = await page.screenshot({ omitBackground: true });
  await page.close();
  return png;
}

// An icon directory with one entry, which is a PNG as it is.
function ico(png: Buffer, size: number): Buffer {
  const header = Buffer.alloc(22);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(1, 4);
  header.writeUInt8(size, 6);
  header.writeUInt8(size, 7);
  header.writeUInt16LE(1, 10);
  header.writeUInt16LE(32, 12);
  header.writeUInt32LE(png.length, 14);
  header.writeUInt32LE(header.length, 18);
  return Buffer.concat([header, png]);
}
