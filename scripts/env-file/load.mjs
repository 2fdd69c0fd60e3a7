// `.env` for scripts, by the server's own reader: a line that cannot be understood stops them too.
import { existsSync } from 'node:fs';

const reader = new URL('../../src/features/env-file/env-file.ts', import.meta.url);
const builtReader = new URL('../../dist/features/env-file/env-file.js', import.meta.url);

/** Adds what `.env` says to the environment, which takes precedence. */
export async function loadEnvFile() {
  if (!existsSync('.env')) return;
  const { entries, problems } = (await importReader()).readEnvFile('.env');
  if (problems.length > 0) {
    console.error(`Latchkey can't start: ${problems.map((problem) => `\n  - ${problem}`).join('')}`);
    process.exit(1);
  }
  for (const { name, value } of entries) process.env[name] ??= value;
}

// In production there may be the build alone, without the tool that runs TypeScript.
async function importReader() {
  if (existsSync(builtReader)) return import(builtReader.href);
  try {
    const { tsImport } = await import('tsx/esm/api');
    return await tsImport(reader.href, import.meta.url);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error('latchkey: there is no build. Run `npm ci --include=dev && npm run build` first.');
    process.exit(1);
  }
}
