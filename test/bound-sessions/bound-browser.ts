import { generateKeyPairSync, sign } from 'node:crypto';
import { keepOutOfLogs } from '../support/secrets.ts';
import { type Visit, type VisitOptions, Visitor } from '../support/visitor.ts';

export const origin = 'https://login.example.com';
export const https = { BASE_URL: origin, TRUST_PROXY: '1' };

/** What a proof may say instead of what is right. */
export type Claims = { alg?: string; typ?: string; signedBy?: DeviceKey; challenge?: string | undefined };

/** A key of a device, as its hardware would keep it. */
export class DeviceKey {
  readonly #pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  get jwk(): object {
    const { kty, crv, x, y } = this.#pair.publicKey.export({ format: 'jwk' });
    return { kty, crv, x, y };
  }

  sign(content: string): Buffer {
    return sign('sha256', Buffer.from(content), { key: this.#pair.privateKey, dsaEncoding: 'ieee-p1363' });
  }

  /** The JWT that proves this key; `isNew` is for a registration. */
  prove(jti: string, isNew: boolean, { alg = 'ES256', typ = 'dbsc+jwt', signedBy = this }: Claims = {}): string {
    const encode = (value: object | Buffer) =>
      (Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value))).toString('base64url');
    const content = `${encode({ alg, typ, ...(isNew && { jwk: this.jwk }) })}.${encode({ jti })}`;
    return `${content}.${encode(signedBy.sign(content))}`;
  }
}

/** A browser with device-bound sessions, which does what Chromium does, but only when a test says so. */
export class BoundBrowser extends Visitor {
  readonly key: DeviceKey;
  /** The challenge in the answer to the last sign-in. */
  invitation: string | undefined;
  /** The challenge to sign next. */
  challenge: string | undefined;
  /** What it calls the session that is bound. */
  name = '';

  constructor(url: string, headers: Record<string, string> = {}, key = new DeviceKey()) {
    super(url, { 'X-Forwarded-Proto': 'https', Accept: 'text/html', ...headers });
    this.key = key;
  }

  override async signIn(email: string, form: Record<string, string> = {}): Promise<Visit> {
    const visit = await super.signIn(email, form);
    this.invite(visit);
    return visit;
  }

  /** Takes the wish to register out of an answer. */
  invite({ headers }: Visit): void {
    const header = headers.get('Secure-Session-Registration') ?? '';
    this.invitation = /^\(ES256\);path="\/bound-session\/register";challenge="([^"]+)"$/.exec(header)?.[1];
    if (this.invitation) keepOutOfLogs(this.invitation);
  }

  async register({ challenge = this.invitation, ...claims }: Claims = {}): Promise<Visit> {
    const proof = this.key.prove(challenge ?? '', true, claims);
    const visit = await this.post('/bound-session/register', { headers: { 'Secure-Session-Response': proof } });
    if (visit.status === 200) this.name = JSON.parse(visit.text).session_identifier;
    this.#takeChallenge(visit);
    return visit;
  }

  /** Signs in, registers and loads a page, which shows that the bound cookie has arrived. */
  async bind(email = 'ann@example.com', form: Record<string, string> = {}): Promise<void> {
    await this.signIn(email, form);
    await this.register();
    await this.get('/admin');
  }

  /** Answers a challenge; without one it asks for one first, as Chromium does. */
  async refresh(claims: Claims = {}, options: VisitOptions = {}): Promise<Visit> {
    const { challenge = this.challenge } = claims;
    const proof =
      challenge === undefined ? {} : { 'Secure-Session-Response': this.key.prove(challenge, false, claims) };
    const headers = { 'Sec-Secure-Session-Id': this.name, ...proof, ...options.headers };
    const visit = await this.post('/bound-session/refresh', { ...options, headers });
    if (visit.status === 200) this.challenge = undefined;
    this.#takeChallenge(visit);
    return visit;
  }

  /** The challenge that it will sign next. */
  async askForChallenge(): Promise<string> {
    this.challenge = undefined;
    await this.refresh();
    return this.challenge ?? '';
  }

  /** The header by which it says that it sends no proof for a session. */
  skips(reason: string, name = this.name): Record<string, string> {
    return { 'Secure-Session-Skipped': `${reason};session_identifier="${name}"` };
  }

  /** Renews the bound cookie: asks for a challenge, and signs it. */
  async prove(): Promise<void> {
    for (let tries = 0; tries < 3; tries += 1) if ((await this.refresh()).status === 200) return;
    throw new Error('the key was not accepted');
  }

  /** The same browser, whose requests reach another process. */
  moveTo(url: string): BoundBrowser {
    const moved = new BoundBrowser(url, {}, this.key);
    for (const [name, value] of this.cookies) moved.cookies.set(name, value);
    return Object.assign(moved, { name: this.name, challenge: this.challenge });
  }

  /** As when its minutes are over in the browser. */
  dropBoundCookie(): void {
    this.cookies.delete('__Host-bound');
  }

  #takeChallenge({ headers }: Visit): void {
    const [, challenge, name] = /^"([^"]+)";id="([^"]+)"$/.exec(headers.get('Secure-Session-Challenge') ?? '') ?? [];
    if (challenge === undefined) return;
    keepOutOfLogs(challenge);
    if (name === this.name) this.challenge = challenge;
  }
}

/** Somebody else with the cookies of a browser, or some of them, and a key of their own. */
export function thiefOf(victim: BoundBrowser, url: string, ...names: string[]): BoundBrowser {
  const thief = new BoundBrowser(url, { 'User-Agent': 'curl/8.9.1' });
  for (const [name, value] of victim.cookies) if (names.includes(name)) thief.cookies.set(name, value);
  thief.name = victim.name;
  return thief;
}
