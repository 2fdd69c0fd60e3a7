// npm run bench:visit -- [--rounds 5]
// A visit in Chromium, from typing the address to /admin, over a modelled 3G link and through nginx with the shipped
// file: what travels, and how long the visitor looks at nothing. Beside it the same login made with Bootstrap.
import { parseArgs } from 'node:util';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { type Closers, withCleanup } from '../../scripts/cleanup.ts';
import { findNode } from '../../scripts/nodes.ts';
import { launchChromium } from '../../test/support/browser.ts';
import { publish, samples } from '../bench.ts';
import { type RunningNginx, startNginx } from '../nginx.ts';
import { startBenchRedis } from '../redis.ts';
import { type StartOptions, startModule, startServer } from '../servers.ts';
import { type Link, type LinkSpeed, startLink } from './link.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });

/** WebPageTest's "3G". */
const thirdGeneration: LinkSpeed = { roundTripMs: 300, downBitsPerSecond: 1_600_000, upBitsPerSecond: 768_000 };
/** So slow, and so wide, that the time is a number of round trips and a rest below one. */
const roundTripsOnly: LinkSpeed = { roundTripMs: 1000, downBitsPerSecond: 1e12, upBitsPerSecond: 1e12 };

/** The host of the shipped file. */
const host = 'login.example.com';
const origin = `https://${host}`;
let visitors = 0;
const caches = ['cold', 'warm'] as const;
type Cache = (typeof caches)[number];
type Visit = { bytes: number; requests: number; firstPaintMs: number; adminMs: number };
/** The same visits over both links. */
type Round = Record<'timed' | 'counted', Record<Cache, Visit>>;
type Contestant = { name: string; over: (speed: LinkSpeed) => Promise<Record<Cache, Visit>> };

const closers: Closers = [];
await withCleanup(closers, measureAll);

async function measureAll(): Promise<void> {
  const contestants = await startAll();
  const rounds = new Map<string, Round[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const first = round % contestants.length;
    for (const { name, over } of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      rounds.get(name)?.push({ timed: await over(thirdGeneration), counted: await over(roundTripsOnly) });
    }
    console.log(`round ${round + 1} of ${values.rounds}`);
  }
  report(rounds);
}

async function startAll(): Promise<Contestant[]> {
  const redis = await startBenchRedis();
  closers.push(redis.stop);
  const node = findNode(String(process.versions.node.split('.')[0])).path;
  const options: StartOptions = { node, redisUrl: redis.url };
  const env = { BASE_URL: origin, TRUST_PROXY: 'loopback' };
  const peer = new URL('bootstrap-login.mjs', import.meta.url);
  const servers = [
    await startServer('latchkey', { ...options, env }),
    await startModule('bootstrap', peer, options),
    await startModule('bootstrap, cached for a year', peer, { ...options, env: { MAX_AGE: '1y' } }),
  ];
  for (const { stop } of servers) closers.push(() => stop());
  return Promise.all(
    servers.map(async ({ name, url }) => {
      const nginx = await startNginxBefore(url);
      closers.push(nginx.stop);
      return { name, over: (speed: LinkSpeed) => visitTwice(nginx, speed) };
    }),
  );
}

/** nginx with the shipped file, in front of one server. */
function startNginxBefore(upstream: string): Promise<RunningNginx> {
  const replace = (text: string) => text.replaceAll(/127\.0\.0\.1:300[12]/g, new URL(upstream).host);
  return startNginx({ shipped: 'nginx', host, replace });
}

/** A first visit, and one by the same browser a day later: its cache is filled, its connections and its session are gone. */
async function visitTwice({ port, certificate }: RunningNginx, speed: LinkSpeed): Promise<Record<Cache, Visit>> {
  const link = await startLink(port, speed);
  const browser = await launchChromium({ trusts: certificate, resolves: { [host]: `127.0.0.1:${link.port}` } });
  try {
    const context = await browser.newContext();
    const cold = await visit(context, link);
    await context.clearCookies();
    link.disconnect();
    const warm = await visit(context, link);
    return { cold, warm };
  } finally {
    await closeAll(browser, link);
  }
}

async function closeAll(browser: Browser, link: Link): Promise<void> {
  await browser.close();
  await link.close();
}

async function visit(context: BrowserContext, link: Link): Promise<Visit> {
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  const requests = await countRequests(cdp);
  const bytesBefore = link.bytesDown();
  await page.goto(origin);
  const firstPaintMs = await firstContentfulPaintMs(page);
  // A new one each time, whose page lists one session.
  visitors += 1;
  await page.getByLabel('E-mail address').fill(`visitor${visitors}@example.com`);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.waitForURL(`${origin}/admin`);
  const result = { firstPaintMs, adminMs: await firstContentfulPaintMs(page) };
  const counted = { bytes: link.bytesDown() - bytesBefore, requests: requests() };
  await page.close();
  return { ...result, ...counted };
}

/** Of requests that the network answered. */
async function countRequests(cdp: CDPSession): Promise<() => number> {
  const answered = new Set<string>();
  const fromMemory = new Set<string>();
  let redirects = 0;
  cdp.on('Network.requestServedFromCache', ({ requestId }) => fromMemory.add(requestId));
  cdp.on('Network.requestWillBeSent', ({ redirectResponse }) => {
    if (redirectResponse) redirects += 1;
  });
  cdp.on('Network.responseReceived', ({ requestId, response }) => {
    if (!response.fromDiskCache && !fromMemory.has(requestId)) answered.add(requestId);
  });
  await cdp.send('Network.enable');
  return () => answered.size + redirects;
}

/** Since the address was entered, or the form was sent: redirects included. */
function firstContentfulPaintMs(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((done) => {
        new PerformanceObserver((list) => {
          for (const { name, startTime } of list.getEntries()) if (name === 'first-contentful-paint') done(startTime);
        }).observe({ type: 'paint', buffered: true });
      }),
  );
}

function report(rounds: Map<string, Round[]>): void {
  const { roundTripMs, downBitsPerSecond } = thirdGeneration;
  const rows = (cache: Cache) =>
    [...rounds].map(([name, measured]) => {
      const of = (pick: (visit: Visit) => number, digits = 2) =>
        samples(
          measured.map(({ timed }) => pick(timed[cache])),
          digits,
        );
      const roundTrips = (pick: (visit: Visit) => number) =>
        samples(
          measured.map(({ counted }) => Math.floor(pick(counted[cache]) / roundTripsOnly.roundTripMs)),
          0,
        );
      return [
        name,
        of(({ bytes }) => bytes / 1000, 1),
        of(({ requests }) => requests, 0),
        roundTrips(({ firstPaintMs }) => firstPaintMs),
        of(({ firstPaintMs }) => firstPaintMs / 1000),
        roundTrips(({ adminMs }) => adminMs),
        of(({ adminMs }) => adminMs / 1000),
        of(({ firstPaintMs, adminMs }) => (firstPaintMs + adminMs) / 1000),
      ];
    });
  const head = [
    ...['kB', 'requests', 'round trips to first paint', 's to first paint'],
    ...['round trips from form to /admin', 's from form to /admin', 's of waiting in all'],
  ];
  publish('visit.md', [
    `# A visit in a browser, on Node ${process.versions.node}`,
    `Medians of ${values.rounds} rounds (least–most), all in turn, in Chromium, through nginx with the shipped file, over a modelled link with a round trip of ${roundTripMs} ms and ${downBitsPerSecond / 1e6} Mbit/s. A page counts as there when something of it is painted; typing comes on top. Connections are new: their two round trips, for TCP and for TLS 1.3, are among those to the first paint.`,
    { head: ['first visit', ...head], rows: rows('cold') },
    { head: ['with a warm cache', ...head], rows: rows('warm') },
  ]);
}
