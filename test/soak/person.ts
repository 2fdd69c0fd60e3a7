import type { SessionLimits } from '../../src/config.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { Visitor } from '../support/visitor.ts';
import type { Answer, Journal } from './event-log.ts';
import { KnownSession, lateMs } from './known-session.ts';
import type { Random } from './random.ts';

type World = {
  urls: string[];
  limits: SessionLimits;
  sessionsPerAddress: number;
  journal: Journal;
  /** Whose each session is, by its handle. */
  owners: Map<string, string>;
};

const html = { Accept: 'text/html' };
const wishes = {
  browse: 58,
  'sign in': 7,
  'sign in anew': 3,
  'log out': 6,
  'end one': 4,
  'end all others': 3,
  'come back after the end': 8,
  'come back after the idle limit': 11,
};
const rememberChance = 0.3;
const abandonChance = 0.4;
/** How often requests with a session are under way while it is being ended. */
const raceChance = 0.3;
/** How many of the ended ones the list of sessions is searched for. */
const recently = 30;

/** Somebody with several browsers, who does one thing at a time and remembers what came of it. */
export class Person {
  readonly email: string;
  readonly tag: string;
  /** Those that may be alive, and those that were seen dead. */
  readonly #sessions: KnownSession[] = [];
  readonly #gone: KnownSession[] = [];
  /** When the last sign-in was asked for that the app confirmed. */
  signedInAt = 0;
  /** When each one was refused; whether it was stored nobody knows. */
  #refusals: number[] = [];
  readonly #random: Random;
  readonly #world: World;

  constructor(email: string, random: Random, world: World) {
    this.email = email;
    this.tag = tagOf(email);
    this.#random = random;
    this.#world = world;
  }

  /** Does the next thing that comes to mind. */
  async act(): Promise<void> {
    const random = this.#random.branch();
    const wish = random.pickByWeight(wishes);
    try {
      await this.#do(wish, random);
    } catch (error) {
      this.#complain(`${wish}: ${error instanceof Error ? `${error.message} ${error.cause ?? ''}` : error}`);
    }
  }

  /** Asks for each session. @returns how many were alive and how many dead, of those that had to be */
  async askForAll(): Promise<{ signedIn: number; ended: number; alive: number; dead: number }> {
    const random = this.#random.branch();
    const sessions = [...this.#sessions, ...this.#gone];
    const ended = sessions.filter(({ isEnded }) => isEnded).length;
    const figures = { signedIn: sessions.length, ended, alive: 0, dead: 0 };
    for (const session of sessions) {
      const mustLive = session.livesUntil > Date.now();
      const mustBeDead = session.isDead(Date.now());
      const isIn = await this.#visit('ask in the end', session, this.#url(random), '/admin');
      if (isIn && mustLive) figures.alive += 1;
      if (!isIn && mustBeDead) figures.dead += 1;
    }
    return figures;
  }

  async #do(wish: keyof typeof wishes, random: Random): Promise<void> {
    const [session, other] = this.#pickTwo(random);
    const expired = this.#sessions.find((candidate) => candidate.isDead(Date.now()));
    if (wish === 'come back after the idle limit' && expired) return this.#comeBack(wish, expired, random);
    const ended = random.pick(this.#gone.slice(-recently));
    if (wish === 'come back after the end' && ended) return this.#comeBack(wish, ended, random);
    if (wish === 'sign in' || !session) return this.#signIn('sign in', random);
    if (wish === 'sign in anew') return this.#race(random, [session], () => this.#signIn(wish, random, session));
    if (wish === 'log out') return this.#race(random, [session], () => this.#logOut(session, random));
    if (wish === 'end one' && other) return this.#race(random, [other], () => this.#endOne(session, other, random));
    if (wish === 'end all others') {
      const others = this.#sessions.filter((candidate) => candidate !== session);
      return this.#race(random, others.slice(0, 2), () => this.#endOthers(session, others, random));
    }
    await this.#visit('browse', session, this.#url(random), random.chance(0.7) ? '/admin' : '/');
  }

  async #comeBack(what: string, session: KnownSession, random: Random): Promise<void> {
    await this.#visit(what, session, this.#url(random), '/admin');
    if (!this.#gone.includes(session)) this.#move(session);
  }

  async #race(random: Random, targets: KnownSession[], endThem: () => Promise<void>): Promise<void> {
    const visits = random.chance(raceChance)
      ? targets.flatMap((target) => this.#world.urls.map((url) => [target, url] as const))
      : [];
    await Promise.all([
      endThem(),
      ...visits.map(([target, url]) => this.#visit('browse while it ends', target, url, '/admin')),
    ]);
    for (const [target, url] of visits) await this.#visit('come back after the end', target, url, '/admin');
  }

  async #signIn(what: string, random: Random, from?: KnownSession): Promise<void> {
    const { limits, sessionsPerAddress, journal, owners } = this.#world;
    const remember = random.chance(rememberChance);
    const abandoned = random.chance(abandonChance);
    const url = this.#url(random);
    const visitor = (from?.visitor ?? new Visitor(url)).copy(url);
    const rivals = this.#sessions.filter((session) => !session.isDead(Date.now()));
    const mayStillLive = Date.now() - limits.rememberIdleSeconds * 1000 - lateMs;
    this.#refusals = this.#refusals.filter((refusedAt) => refusedAt > mayStillLive);
    const doubted = rivals.length + this.#refusals.length >= sessionsPerAddress ? rivals : [];
    for (const session of [...doubted, ...(from ? [from] : [])]) session.doubt();

    const form = { email: this.email, ...(remember && { remember: 'on' }) };
    const answer = await journal.ask(what, visitor, () => visitor.post('/login', { headers: html, form }));
    const refused = answer.status === 503;
    from?.noteRequest(answer, refused ? 'refused' : 'signed out');
    for (const session of doubted) session.doubt(answer.to + (refused ? lateMs : 0));
    if (refused) {
      this.#refusals.push(answer.to);
      return from?.doubt(answer.to + lateMs);
    }
    this.#require(what, answer, 303);
    if (from) this.#end(from);
    this.signedInAt = answer.from;
    const session = new KnownSession(visitor, { remember, abandoned, limits, signedIn: answer });
    owners.set(session.handle, this.email);
    this.#sessions.push(session);
  }

  async #logOut(session: KnownSession, random: Random): Promise<void> {
    const { livesUntil } = session;
    session.doubt();
    const visitor = session.visitor.copy(this.#url(random));
    const answer = await this.#askAs(session, 'log out', visitor, () => visitor.post('/logout', { headers: html }));
    if (answer.status === 503) return session.doubt(answer.to + lateMs);
    this.#require('log out', answer, 303);
    if (visitor.cookies.size === 0) return this.#end(session);
    if (answer.to < livesUntil) this.#complain('log out: the session was lost');
    session.doubt(answer.to);
  }

  async #endOne(by: KnownSession, target: KnownSession, random: Random): Promise<void> {
    await this.#visit('browse', by, this.#url(random), '/admin');
    await this.#endAs(by, [target], 'end one', '/admin/end-session', { session: target.handle }, random);
  }

  async #endOthers(by: KnownSession, others: KnownSession[], random: Random): Promise<void> {
    await this.#endAs(by, others, 'end all others', '/admin/end-other-sessions', {}, random);
  }

  async #endAs(
    by: KnownSession,
    targets: KnownSession[],
    what: string,
    path: string,
    form: Record<string, string>,
    random: Random,
  ): Promise<void> {
    const { livesUntil } = by;
    for (const target of targets) target.doubt();
    const visitor = by.visitor.copy(this.#url(random));
    const answer = await this.#askAs(by, what, visitor, () => visitor.post(path, { headers: html, form }));
    if (answer.status === 303) {
      by.noteRequest(answer, 'signed in');
      for (const target of targets) this.#end(target);
      return;
    }
    for (const target of targets) target.doubt(answer.to + lateMs);
    if (answer.status === 503) return;
    this.#require(what, answer, 401);
    if (answer.to < livesUntil) this.#complain(`${what}: the session was lost`);
    by.doubt(answer.to);
  }

  /** @returns whether the app knew the session */
  async #visit(what: string, session: KnownSession, url: string, path: '/' | '/admin'): Promise<boolean> {
    const wasDead = session.isDead(Date.now());
    const dead = [...this.#sessions, ...this.#gone.slice(-recently)].filter((other) => other.isDead(Date.now()));
    const visitor = session.visitor.copy(url);
    const answer = await this.#askAs(session, what, visitor, () => visitor.get(path, { headers: html }));
    if (answer.status === 503) return false;
    const isIn = answer.text.includes(this.email);
    this.#require(what, answer, isIn || path === '/' ? 200 : 401);
    this.#requireOwn(what, answer);
    if (isIn && wasDead) this.#complain(`${what}: ${session.isEnded ? 'an ended' : 'an expired'} session is alive`);
    if (!isIn && answer.to < session.livesUntil) this.#complain(`${what}: the session was lost`);
    if (isIn && path === '/admin') this.#checkList(session, answer, dead);
    if (isIn) session.noteRequest(answer, 'signed in');
    else session.doubt(answer.to);
    return isIn;
  }

  #requireOwn(what: string, { text }: Answer): void {
    const named = [...text.matchAll(/[\w-]+@example\.com/g)].map(([email]) => email);
    const listed = [...text.matchAll(/name="session" value="([^"]*)"/g)].map(([, handle = '']) => handle);
    const owners = [...named, ...listed.map((handle) => this.#world.owners.get(handle) ?? this.email)];
    if (owners.some((owner) => owner !== this.email)) this.#complain(`${what}: shows what is not theirs`);
  }

  #checkList(own: KnownSession, answer: Answer, dead: KnownSession[]): void {
    const live = this.#sessions.filter(
      (session) => session !== own && session.signedInAt < answer.from && session.livesUntil > answer.to,
    );
    if (live.some(({ handle }) => !answer.text.includes(handle))) this.#complain('a live session is not listed');
    if (dead.some(({ handle }) => answer.text.includes(handle))) this.#complain('a dead session is listed');
  }

  async #askAs(
    session: KnownSession,
    what: string,
    visitor: Visitor,
    send: () => ReturnType<Visitor['get']>,
  ): Promise<Answer> {
    const answer = await this.#world.journal.ask(what, visitor, send);
    session.noteRequest(answer, answer.status === 503 ? 'refused' : 'signed out');
    return answer;
  }

  #end(session: KnownSession): void {
    session.end();
    this.#move(session);
  }

  #move(session: KnownSession): void {
    const position = this.#sessions.indexOf(session);
    if (position >= 0) this.#gone.push(...this.#sessions.splice(position, 1));
  }

  #pickTwo(random: Random): (KnownSession | undefined)[] {
    const used = this.#sessions.filter((session) => !session.abandoned && !session.isDead(Date.now()));
    const first = random.pick(used);
    const others = this.#sessions.filter((session) => session !== first && !session.isDead(Date.now()));
    return [first, random.pick(others)];
  }

  #url(random: Random): string {
    return random.pick(this.#world.urls) ?? '';
  }

  #require(what: string, { status, text }: Answer, wanted: number): void {
    if (status !== wanted) this.#complain(`${what}: ${status} instead of ${wanted}: ${text.slice(0, 200)}`);
  }

  #complain(text: string): void {
    this.#world.journal.complain(`${this.email}: ${text}`);
  }
}
