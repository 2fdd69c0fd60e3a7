import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builtFile, newDirectory, startServer } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { production } from '../support/settings.ts';
import { Visitor } from '../support/visitor.ts';

/** The sources below `src/` that a server has loaded by the time it has served a visitor and stopped. */
async function loadedFiles(env: Record<string, string>): Promise<string[]> {
  const coverage = newDirectory('coverage-');
  const server = await startServer({ env: { ...env, NODE_V8_COVERAGE: coverage } });
  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  for (const path of ['/', '/admin', '/nowhere']) await visitor.get(path);
  process.kill(server.pid, 'SIGTERM');
  await server.ended;
  const reports = readdirSync(coverage).map((name) => JSON.parse(readFileSync(join(coverage, name), 'utf8')));
  const urls: string[] = reports.flatMap(({ result }) => result.map(({ url }: { url: string }) => url));
  const bundles = new Set(urls.filter((url) => url.endsWith('.cjs')).map((url) => builtFile(url)));
  const sources = [...bundles].flatMap((file) => JSON.parse(readFileSync(`${file}.map`, 'utf8')).sources as string[]);
  return sources.flatMap((source) => (source.includes('node_modules') ? [] : (source.split('/src/')[1] ?? [])));
}

test('production loads nothing that is for development alone', async () => {
  const redis = await startRedisServer('of-the-operator');
  const loaded = await loadedFiles({ ...production, REDIS_URL: redis.url, BASE_URL: 'http://localhost:3000' });
  expect(loaded).toContain('session/store.ts');
  expect(loaded.filter((file) => file.startsWith('dev/'))).toEqual([]);
  expect((await loadedFiles({})).filter((file) => file.startsWith('dev/'))).toContain('dev/kept-secret.ts');
});
