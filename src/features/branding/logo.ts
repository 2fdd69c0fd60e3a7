import { statSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { SettingProblem } from '../../settings/setting.ts';
import { readRegularFile } from '../../shared/regular-file.ts';

/** A picture, and how wide it is for its height. */
export type Logo = { bytes: Buffer; type: 'image/png' | 'image/svg+xml'; aspect: number };

const maxBytes = 200_000;
const fix = 'takes the path of an SVG or PNG file';
const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * Reads a logo, going by what the file holds and not by its name.
 * @throws {SettingProblem} for a file that can't be read, is too large, or is no picture of these kinds
 */
export function readLogo(path: string): Logo {
  const bytes = readBytes(path);
  const read = bytes.subarray(0, 8).equals(pngSignature) ? readPng(bytes) : readSvg(bytes);
  if (!read) throw new SettingProblem(`${fix}; this one is neither, or is damaged`);
  // A narrower or wider one would leave no room for the site's name.
  if (!(read.aspect >= 1 / 8 && read.aspect <= 8)) {
    throw new SettingProblem(`${fix} that is at most 8 times as wide as it is high, and the other way round`);
  }
  return read;
}

function readBytes(path: string): Buffer {
  try {
    const { size } = statSync(path);
    if (size > maxBytes)
      throw new SettingProblem(`${fix} of at most 200 kB; this one has ${Math.ceil(size / 1000)} kB`);
    return readRegularFile(path);
  } catch (error) {
    if (error instanceof SettingProblem) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SettingProblem(`${fix} that can be read; this one can't (${reason})`);
  }
}

/** PNG, third edition, 5 and 11.2: the header comes first, and the data must inflate. */
function readPng(bytes: Buffer): Logo | undefined {
  const data: Buffer[] = [];
  let at = 8;
  let hasEnded = false;
  while (!hasEnded && at + 12 <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    const kind = bytes.toString('latin1', at + 4, at + 8);
    if (at === 8 && kind !== 'IHDR') return undefined;
    if (kind === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + length));
    hasEnded = kind === 'IEND';
    at += 12 + length;
  }
  if (!hasEnded || !inflates(Buffer.concat(data))) return undefined;
  return { bytes, type: 'image/png', aspect: bytes.readUInt32BE(16) / bytes.readUInt32BE(20) };
}

function inflates(data: Buffer): boolean {
  try {
    inflateSync(data, { maxOutputLength: 64_000_000 });
    return true;
  } catch {
    return false;
  }
}

/** SVG 2, 5.1: a root element with its namespace. A DOCTYPE, which no picture needs, could bring entities of its own. */
function readSvg(bytes: Buffer): Logo | undefined {
  const text = decodeUtf8(bytes)
    ?.replace(/^\s*<\?xml[^>]*\?>/, '')
    .replace(/<!--[\s\S]*?-->/g, '');
  const [, root] = /^\s*<svg\b([^<>]*)>[\s\S]*<\/svg>\s*$/.exec(text ?? '') ?? [];
  if (root === undefined || !/\bxmlns\s*=\s*["']http:\/\/www\.w3\.org\/2000\/svg["']/.test(root)) return undefined;
  const attribute = (name: string) => new RegExp(`(?:^|\\s)${name}\\s*=\\s*["']([^"']*)["']`).exec(root)?.[1] ?? '';
  const [, , width, height] = attribute('viewBox')
    .trim()
    .split(/[\s,]+/)
    .map(Number);
  const [ownWidth, ownHeight] = [attribute('width'), attribute('height')].map(Number.parseFloat);
  const aspect = width && height ? width / height : ownWidth && ownHeight ? ownWidth / ownHeight : 1;
  return { bytes, type: 'image/svg+xml', aspect };
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
