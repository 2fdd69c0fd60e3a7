import { expect, vi } from 'vitest';
import { deadlineMs } from '../../src/redis/deadline.ts';
import { keepOutOfLogs } from './secrets.ts';
import { type Visit, Visitor } from './visitor.ts';

/** Somebody whose session the app said it had stored, or had ended, and when. */
type Holder = { visitor: Visitor; email: string; saidAt: number };

type Step = (load: Load) => Promise<Visit>;

const html = { Accept: 'text/html' };
const script = { 'X-Requested-With': 'XMLHttpRequest' };
const words = 'That did not work just now. Please try again in a few seconds.';
const firstSessions = 20;

/** What visitors do, over and over, one step at a time. */
const steps: Record<string, Step> = {
  visit: (load) => load.visit(),
  'sign in': (load) => load.signIn({ headers: html }),
  'static file': (load) => load.open('/style.css', 'body'),
  'log out': (load) => load.logOut(),
  'sign in by script': (load) => load.signIn({ headers: script }),
  livez: (load) => load.open('/livez', 'ok\n'),
  'visit after logout': (load) => load.replay(),
  'visit again': (load) => load.visit(),
  'sign in anew': (load) => load.signInAnew(),
  'visit by forgery': (load) => load.forge(),
};

const withoutRedis = ['static file', 'livez'];

/**
 * A light, constant load, and a ledger of what the app said: whoever was told to be signed in must stay so, and
 * whoever was told to be logged out too. Anything else that a visitor may not meet becomes a complaint.
 */
export class Load {
  readonly complaints: string[] = [];
  readonly figures = { requests: 0, refused: 0, slowestMs: 0, slowestWithoutRedisMs: 0 };
  /** Those who visit, those who will log out, and those who did. */
  readonly #residents: Holder[] = [];
  readonly #leavers: Holder[] = [];
  readonly #ended: Holder[] = [];
  /** How many visits of each are under way. */
  readonly #visited = new Map<Holder, number>();
  readonly #underWay = new Set<Promise<void>>();
  #url: string;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** Begins, with some sessions to start from. */
  async start(everyMs: number): Promise<void> {
    for (let count = 0; count < firstSessions; count += 1) await this.signIn({ headers: html });
    await this.logOut();
    const names = Object.keys(steps);
    let next = 0;
    this.#timer = setInterval(() => {
      const name = names[next % names.length] ?? '';
      next += 1;
      const step = this.#take(name).finally(() => this.#underWay.delete(step));
      this.#underWay.add(step);
    }, everyMs);
  }

  /** Sends what comes next to another app. */
  moveTo(url: string): void {
    this.#url = url;
    for (const holder of [...this.#residents, ...this.#leavers, ...this.#ended]) {
      holder.visitor = holder.visitor.copy(url);
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }

  /**
   * Throws unless every request was answered by the deadline for Redis, and service was back soon. How busy the machine
   * was shows in the requests that don't need Redis, which were sent all the while.
   */
  requirePromptness(backMs: number): void {
    const delayMs = 5 * this.figures.slowestWithoutRedisMs;
    expect(this.figures.slowestMs).toBeLessThan(deadlineMs + 1000 + delayMs);
    expect(backMs).toBeLessThan(2000 + delayMs);
  }

  /** Whether even requests that don't need Redis took so long that those that do may have missed its deadline. */
  get isMachineBusy(): boolean {
    return this.figures.slowestWithoutRedisMs > deadlineMs / 4;
  }

  /** How long until somebody can sign in, visit and log out again. */
  async untilServed(): Promise<number> {
    const startedAt = performance.now();
    await vi.waitFor(() => this.#requireService(), { timeout: 20_000, interval: 20 });
    return performance.now() - startedAt;
  }

  /**
   * Asks for everybody, in the end: is what they were told still so?
   * @param uncertain when Redis may forget what it confirmed, in milliseconds since the epoch
   */
  async audit(uncertain = { from: 0, to: 0 }) {
    const isCertain = ({ saidAt }: Holder) => saidAt < uncertain.from || saidAt > uncertain.to;
    const live = [...this.#residents, ...this.#leavers].filter(isCertain);
    const ended = this.#ended.filter(isCertain);
    const lost = await this.#countOf(live, (visit, { email }) => !visit.text.includes(`Hello ${email}`));
    const revived = await this.#countOf(ended, ({ status }) => status !== 401);
    return { live: live.length, ended: ended.length, lost, revived };
  }

  async visit(): Promise<Visit> {
    const [holder] = this.#residents;
    if (!holder) throw new Error('nobody is signed in');
    this.#residents.push(...this.#residents.splice(0, 1));
    this.#visited.set(holder, (this.#visited.get(holder) ?? 0) + 1);
    const visit = await holder.visitor
      .copy()
      .get('/admin', { headers: html })
      .finally(() => this.#visited.set(holder, (this.#visited.get(holder) ?? 1) - 1));
    if (visit.status !== 503) expect([visit.status, visit.text]).toEqual([200, holds(`Hello ${holder.email}`)]);
    return visit;
  }

  async signIn({ headers }: { headers: Record<string, string> }): Promise<Visit> {
    this.#count += 1;
    const holder = { visitor: new Visitor(this.#url), email: `visitor-${this.#count}@example.com`, saidAt: 0 };
    const visit = await holder.visitor.post('/login', { headers, form: { email: holder.email } });
    if (visit.status === 503) return visit;
    expect([visit.status, visit.text]).toEqual(headers === script ? [200, 'done'] : [303, expect.anything()]);
    expect(holder.visitor.sessionId).toBeTruthy();
    holder.saidAt = Date.now();
    (this.#count % 2 === 0 ? this.#residents : this.#leavers).push(holder);
    return visit;
  }

  /** One with a session signs in under another address, and is undecided when that is refused. */
  async signInAnew(): Promise<Visit> {
    // Who is being visited must stay signed in until that visit is answered.
    const free = this.#residents.findLastIndex((resident) => !this.#visited.get(resident));
    const [holder] = this.#residents.length > firstSessions / 2 && free >= 0 ? this.#residents.splice(free, 1) : [];
    if (!holder) return this.signIn({ headers: html });
    const before = holder.visitor.copy();
    const email = `again-${holder.email}`;
    const visit = await holder.visitor.post('/login', { headers: html, form: { email } });
    if (visit.status === 503) return visit;
    expect(visit.status).toBe(303);
    this.#ended.push({ ...holder, visitor: before, saidAt: Date.now() });
    this.#residents.unshift({ ...holder, email, saidAt: Date.now() });
    return visit;
  }

  async logOut(): Promise<Visit> {
    const holder = this.#leavers.shift();
    if (!holder) return this.visit();
    const before = holder.visitor.copy();
    const visit = await holder.visitor.post('/logout', { headers: html });
    if (visit.status === 503) return visit;
    expect([visit.status, holder.visitor.cookies.size]).toEqual([303, 0]);
    this.#ended.push({ ...holder, visitor: before, saidAt: Date.now() });
    return visit;
  }

  async replay(): Promise<Visit> {
    const visit = await this.#ended.at(-1)?.visitor.copy().get('/admin', { headers: html });
    if (!visit) throw new Error('nobody has logged out');
    if (visit.status !== 503) expect(visit.status).toBe(401);
    return visit;
  }

  async forge(): Promise<Visit> {
    const forger = this.#residents[0]?.visitor.copy() ?? new Visitor(this.#url);
    const forged = `${forger.sessionCookie?.slice(0, -4)}AAAA`;
    keepOutOfLogs(forged);
    forger.cookies.set('session', encodeURIComponent(forged));
    const visit = await forger.get('/admin', { headers: html });
    expect(visit.status).toBe(401);
    return visit;
  }

  /** Opens what needs no session. */
  async open(path: string, part: string): Promise<Visit> {
    const visit = await new Visitor(this.#url).get(path);
    expect([visit.status, visit.text]).toEqual([200, holds(part)]);
    return visit;
  }

  async #take(name: string): Promise<void> {
    const startedAt = performance.now();
    try {
      const visit = await steps[name]?.(this);
      if (visit?.status === 503) {
        this.figures.refused += 1;
        expect(visit.setCookies).toEqual([]);
        requireRefusalInWords(visit);
      }
    } catch (error) {
      this.complaints.push(`${name}: ${error instanceof Error ? `${error.message} ${error.cause ?? ''}` : error}`);
    }
    this.figures.requests += 1;
    const figure = withoutRedis.includes(name) ? 'slowestWithoutRedisMs' : 'slowestMs';
    this.figures[figure] = Math.max(this.figures[figure], performance.now() - startedAt);
  }

  async #requireService(): Promise<void> {
    const visitor = new Visitor(this.#url);
    const visits = [
      await visitor.post('/login', { form: { email: 'probe@example.com' } }),
      await visitor.get('/admin'),
      await visitor.post('/logout'),
    ];
    expect(visits.map(({ status }) => status)).toEqual([303, 200, 303]);
  }

  async #countOf(holders: Holder[], is: (visit: Visit, holder: Holder) => boolean): Promise<number> {
    let count = 0;
    for (const holder of holders) {
      const visit = await vi.waitFor(async () => {
        const answer = await holder.visitor.copy().get('/admin');
        expect(answer.status).not.toBe(503);
        return answer;
      }, 10_000);
      if (is(visit, holder)) count += 1;
    }
    return count;
  }
}

/** Throws unless a 503 says in words to come back, and when. */
export function requireRefusalInWords(visit: Visit): void {
  expect(visit.headers.get('Retry-After')).toBe('5');
  expect(visit.text).toContain(words);
}

function holds(part: string): unknown {
  return expect.stringContaining(part);
}
