import { setTimeout as sleep } from 'node:timers/promises';
import type { Response } from 'express';
import { now } from '../../clock.ts';
import { endOf, minSignedInAt, type SessionLimits } from '../../session/lifetime.ts';
import { tagIn } from '../../session/session-id.ts';
import type { SessionStore } from '../../session/store.ts';
import { figures } from '../../shared/figures.ts';
import { shownIp } from '../../shared/shown-ip.ts';
import { digestOf } from './announcements.ts';
import { beginStream, emptyStream, message, nobody } from './answers.ts';
import { type Stream, streamToClose } from './stream.ts';

const tickMs = 1000;
/** How many ticks apart: proxies close what is silent for 30 s. */
const heartbeatTicks = 20;
/** One for the visible tabs of a browser, and a few that it has left without a word. */
const maxPerSession = 4;
/** A tick that is later than this finds a process with other things to do. */
const maxLatenessMs = 1000;
const closeWithinMs = 5000;
const batch = 100;
/** When everybody's sessions are ended: 10,000 browsers are told within a second. */
const [endBatch, endBatchMs] = [100, 10];
const gauge = { name: 'latchkey_live_tabs', help: 'Open live-tab streams, one per browser', isShare: true } as const;

type Options = { store: SessionStore; limits: SessionLimits };

type StreamLimit = {
  maxStreams: number;
  /** Told of each stream that comes (1) or goes (-1). */
  onCountChange: (change: 1 | -1) => void;
};

/**
 * The open streams of this process. A stream says who owns the session of its browser: first when it is opened, and then
 * that nobody does, which is the end. It claims nothing when it is closed for any other reason.
 */
export class Streams {
  readonly #options: Options;
  #limit: StreamLimit = { maxStreams: 0, onCountChange: () => {} };
  /** The oldest first. */
  readonly #streams = new Set<Stream>();
  readonly #byDigest = new Map<string, Stream[]>();
  #timer: NodeJS.Timeout | undefined;
  #tickedAt = performance.now();
  #ticks = 0;
  #opened = 0;
  #mayHaveMissed = false;
  /** Whether the last tick was late. */
  #isBusy = false;
  #isRechecking = false;
  #isFinishing = false;
  #isClosed = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Says how many streams there may be; none before. */
  attach(limit: StreamLimit): void {
    this.#limit = limit;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Whether this process can take another one. Pages come first. */
  get hasRoom(): boolean {
    return this.#streams.size < this.#limit.maxStreams && !this.#isBusy;
  }

  start(): void {
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
    figures.publish({ ...gauge, set: 0 });
  }

  /** Closes all streams. Their browsers come back, to whichever process is there. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const stream of this.#streams) this.#close(stream);
  }

  /**
   * Answers with a stream about this session, whose end is heard of already.
   * @param onGone called once the browser has gone
   * @throws {RedisUnavailable} when nobody knows whether it lives
   */
  async open(sessionId: string, res: Response, onGone: () => void): Promise<void> {
    const digest = digestOf(sessionId);
    const turn = this.#opened++ % heartbeatTicks;
    const unknown = { signedInAt: 0, endsAt: Number.POSITIVE_INFINITY, isEnded: false };
    const network = shownIp('network', res.req.ip);
    const stream: Stream = { sessionId, digest, network, res, socket: undefined, turn, ...unknown };
    // Before Redis is asked, so that no end falls in between.
    this.#add(stream);
    res.once('close', () => {
      this.#remove(stream);
      onGone();
    });
    if (this.#isClosed) return this.#close(stream);
    const isLive = await this.#look(stream).catch((error: unknown) => {
      this.#remove(stream);
      throw error;
    });
    if (!this.#streams.has(stream)) return;
    stream.res = undefined;
    stream.socket = beginStream(res);
    if (isLive && !stream.isEnded) stream.socket?.write(message(tagIn(sessionId)));
    else this.#finish(stream);
  }

  /** Tells the browsers with this session that it has ended. */
  end(digest: string): void {
    for (const stream of this.#byDigest.get(digest) ?? []) {
      if (stream.socket) this.#finish(stream);
      else stream.isEnded = true;
    }
  }

  /** Asks about all sessions anew, since ends may have been missed. */
  recheck(): void {
    this.#mayHaveMissed = this.#streams.size > 0;
  }

  #tick(): void {
    const lateness = performance.now() - this.#tickedAt - tickMs;
    this.#isBusy = lateness > maxLatenessMs;
    this.#tickedAt = performance.now();
    this.#ticks += 1;
    const at = now();
    const earliest = minSignedInAt(this.#options.limits);
    const due: Stream[] = [];
    const ended: Stream[] = [];
    for (const stream of this.#streams) {
      if (!stream.socket) continue;
      if (stream.signedInAt < earliest) ended.push(stream);
      else {
        if (stream.endsAt <= at || this.#mayHaveMissed) due.push(stream);
        if (stream.turn === this.#ticks % heartbeatTicks) this.#sendHeartbeat(stream);
      }
    }
    if (!this.#isFinishing) void this.#finishAll(ended);
    this.#mayHaveMissed &&= this.#isRechecking;
    if (due.length > 0 && !this.#isRechecking) void this.#lookAtAll(due);
    figures.publish({ ...gauge, set: this.#streams.size });
  }

  /** Leaves time for pages in between. */
  async #finishAll(ended: Stream[]): Promise<void> {
    this.#isFinishing = true;
    try {
      for (let first = 0; first < ended.length; first += endBatch) {
        if (first > 0) await sleep(endBatchMs, undefined, { ref: false });
        for (const stream of ended.slice(first, first + endBatch)) this.#finish(stream);
      }
    } finally {
      this.#isFinishing = false;
    }
  }

  async #lookAtAll(due: Stream[]): Promise<void> {
    this.#isRechecking = true;
    try {
      // One alone finds out whether Redis is there.
      for (let first = 0, count = 1; first < due.length; first += count, count = batch) {
        const some = due.slice(first, first + count);
        const live = await Promise.all(some.map((stream) => this.#look(stream)));
        for (const [index, stream] of some.entries()) if (!live[index]) this.#finish(stream);
      }
    } catch {
      // Redis is away, and so nobody knows. The rest of them is asked about again.
      this.recheck();
    } finally {
      this.#isRechecking = false;
    }
  }

  /** Whether a session lives, and for how long. It is not used by that. */
  async #look(stream: Stream): Promise<boolean> {
    const { store, limits } = this.#options;
    const session = await store.peek(stream.sessionId);
    if (session?.email === undefined) return false;
    stream.signedInAt = session.signedInAt;
    stream.endsAt = endOf(session, limits);
    return true;
  }

  #sendHeartbeat(stream: Stream): void {
    // The last one has not even left this machine: nobody reads, and it would stay in memory.
    if (stream.socket?.writableLength) stream.socket.destroy();
    else stream.socket?.write(':\n\n');
  }

  #finish(stream: Stream): void {
    if (!this.#streams.has(stream)) return;
    stream.socket?.write(message(nobody));
    this.#close(stream);
  }

  #close(stream: Stream): void {
    this.#remove(stream);
    // A browser could keep its half of the connection open, or not read the end.
    stream.socket?.setTimeout(closeWithinMs);
    stream.socket?.destroySoon();
    if (stream.res) emptyStream(stream.res).end();
  }

  #add(stream: Stream): void {
    this.#streams.add(stream);
    this.#limit.onCountChange(1);
    const others = this.#byDigest.get(stream.digest) ?? [];
    this.#byDigest.set(stream.digest, [...others, stream]);
    const surplus = others.length >= maxPerSession ? streamToClose([...others, stream]) : undefined;
    if (surplus) this.#close(surplus);
  }

  #remove(stream: Stream): void {
    if (!this.#streams.delete(stream)) return;
    this.#limit.onCountChange(-1);
    const left = (this.#byDigest.get(stream.digest) ?? []).filter((other) => other !== stream);
    if (left.length > 0) this.#byDigest.set(stream.digest, left);
    else this.#byDigest.delete(stream.digest);
  }
}
