import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Routes } from './methods.ts';
import type { RedisFault } from './redis-fault.ts';

/** A page as some visitor meets it: how to get there in an empty tab of a browser without cookies. */
export type KnownPage = { name: string; open: (page: Page) => Promise<void> };

/** An app with its pages. */
export type PageSite = { url: string; pages: KnownPage[] };

/** What the tests of a feature add to those of the core, or of another feature. */
type Contributions = {
  /** What the feature does with Redis, to be tried on each kind of it. */
  'redis-uses': { useRedis: (redis: RedisClient) => Promise<void> };
  /** The feature's pages in their telling states, which every test of pages visits, of apps with these settings. */
  'browser-pages': { openSites: (env: Record<string, string>) => Promise<PageSite[]> };
  /** Faults of Redis that the feature comes through, and the most lines above `info` that any fault may log. */
  'redis-faults': { faults: RedisFault[]; maxAlarms: number };
  /** The methods that each of the feature's paths takes. */
  routes: { routes: Routes };
};

const tests = fileURLToPath(new URL('..', import.meta.url));

/** The modules of this name in the folders of the features, so that no test has to name a feature. */
export async function contributed<Name extends keyof Contributions>(
  name: Name,
): Promise<{ feature: string; module: Contributions[Name] }[]> {
  const features = readdirSync(tests).filter((folder) => existsSync(`${tests}${folder}/${name}.ts`));
  return Promise.all(features.map(async (feature) => ({ feature, module: await import(`../${feature}/${name}.ts`) })));
}
