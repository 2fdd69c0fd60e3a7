import { startTcpLink, type TcpLink } from '../tcp-link.ts';

/** A way to the server: how long a round trip takes, and how fast bytes go. */
export type LinkSpeed = { roundTripMs: number; downBitsPerSecond: number; upBitsPerSecond: number };

export type Link = TcpLink & {
  /** Bytes that have reached the browser so far, TLS included. */
  bytesDown: () => number;
};

const segmentBytes = 1460;
/** What IP and TCP add to each segment, with timestamps. */
const overheadBytes = 52;
/** Ten segments (RFC 6928). */
const initialWindowBytes = 10 * segmentBytes;

/**
 * Carries connections to a local port over a modelled slow link. Chromium's own throttling delays requests, but not
 * handshakes, and knows no windows; the kernel's (netem) needs root and a module. So this model delays the handshake of
 * TCP by a round trip, lets one sender have no more under way than its window, which starts at ten segments and grows
 * by what has been acknowledged (slow start), and sends all connections through one bottleneck in each direction.
 * Nothing is lost on the way.
 */
export async function startLink(targetPort: number, speed: LinkSpeed): Promise<Link> {
  const { roundTripMs, downBitsPerSecond, upBitsPerSecond } = speed;
  const down = new Bottleneck(downBitsPerSecond);
  const up = new Bottleneck(upBitsPerSecond);
  let bytesDown = 0;
  const link = await startTcpLink(targetPort, (near, far) => {
    const upward = new Sender(up, roundTripMs, (bytes) => far.write(bytes), performance.now() + roundTripMs);
    const downward = new Sender(down, roundTripMs, (bytes) => {
      bytesDown += bytes.length;
      near.write(bytes);
    });
    near.on('data', (bytes) => upward.send(bytes));
    far.on('data', (bytes) => downward.send(bytes));
  });
  return { ...link, bytesDown: () => bytesDown };
}

/** One direction of the link, which passes one segment at a time. */
class Bottleneck {
  readonly #bytesPerMs: number;
  #freeAt = 0;

  constructor(bitsPerSecond: number) {
    this.#bytesPerMs = bitsPerSecond / 8000;
  }

  /** When the last bit of a segment has passed, if it is sent no sooner than this. */
  pass(bytes: number, notBeforeMs: number): number {
    this.#freeAt = Math.max(this.#freeAt, notBeforeMs) + (bytes + overheadBytes) / this.#bytesPerMs;
    return this.#freeAt;
  }
}

/** One direction of a connection. */
class Sender {
  readonly #bottleneck: Bottleneck;
  readonly #oneWayMs: number;
  readonly #deliver: (bytes: Buffer) => void;
  readonly #startsAt: number;
  #waiting: Buffer[] = [];
  #windowBytes = initialWindowBytes;
  #underWay = 0;
  #delivered = Promise.resolve();

  constructor(bottleneck: Bottleneck, roundTripMs: number, deliver: (bytes: Buffer) => void, startsAt = 0) {
    this.#bottleneck = bottleneck;
    this.#oneWayMs = roundTripMs / 2;
    this.#deliver = deliver;
    this.#startsAt = startsAt;
  }

  send(bytes: Buffer): void {
    for (let start = 0; start < bytes.length; start += segmentBytes) {
      this.#waiting.push(bytes.subarray(start, start + segmentBytes));
    }
    this.#sendWhatFits();
  }

  #sendWhatFits(): void {
    while (this.#underWay < this.#windowBytes) {
      const segment = this.#waiting.shift();
      if (!segment) return;
      this.#underWay += segment.length;
      const passedAt = this.#bottleneck.pass(segment.length, Math.max(performance.now(), this.#startsAt));
      const arrivesAt = passedAt + this.#oneWayMs;
      // Timers that end in the same millisecond may not overtake each other.
      this.#delivered = this.#delivered.then(() => until(arrivesAt)).then(() => this.#deliver(segment));
      void until(arrivesAt + this.#oneWayMs).then(() => {
        this.#underWay -= segment.length;
        this.#windowBytes += segment.length;
        this.#sendWhatFits();
      });
    }
  }
}

async function until(timeMs: number): Promise<void> {
  const leftMs = timeMs - performance.now();
  if (leftMs > 0) await new Promise((done) => setTimeout(done, leftMs));
}
