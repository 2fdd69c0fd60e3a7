import { once } from 'node:events';
import http from 'node:http';
import { onTestFinished, vi } from 'vitest';
import { tagOf } from '../../src/session/session-id.ts';
import { figures } from '../../src/shared/figures.ts';
import type { Visitor } from '../support/visitor.ts';

/** A browser that listens to the end of its session, as far as the server can tell. */
export type Listener = {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** Whom the stream has named so far. */
  owners: () => string[];
  /** Everything that came. */
  text: () => string;
  /** Resolves as more comes. */
  next: () => Promise<unknown>;
  isOpen: () => boolean;
  leave: () => void;
};

/** How late a visible tab may be, on a machine with nothing else to do. */
export const withinMs = 2000;
/** For tests that don't measure, on a machine that is busy. */
const longWaitMs = 15_000;

/** Opens a stream, and resolves with its first byte, or its end. */
export function listen(url: string, visitor: Visitor, headers: Record<string, string> = {}): Promise<Listener> {
  return new Promise((done, fail) => {
    let text = '';
    let isOpen = true;
    const request = http.get(
      `${url}/session-events`,
      { agent: false, headers: { Cookie: visitor.cookieHeader, ...headers } },
      (response) => {
        const { statusCode: status = 0 } = response;
        const owners = () => [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, owner = '']) => owner);
        const listener: Listener = {
          ...{ status, headers: response.headers, owners },
          text: () => text,
          next: () => once(response, 'data'),
          isOpen: () => isOpen,
          leave: () => request.destroy(),
        };
        response.on('data', (chunk) => {
          text += chunk;
          done(listener);
        });
        response.on('error', () => {});
        response.once('close', () => {
          isOpen = false;
          done(listener);
        });
      },
    );
    request.on('error', fail);
    onTestFinished(() => void request.destroy());
  });
}

/** Expects the stream to name the owner first, and then to say that the session has ended. */
export async function expectEnd(listener: Listener, email = 'ann@example.com'): Promise<void> {
  await vi.waitFor(
    () => {
      if (listener.isOpen()) throw new Error('the stream is still open');
    },
    { timeout: longWaitMs, interval: 10 },
  );
  const said = listener.owners().join();
  if (said !== `${tagOf(email)},nobody`) throw new Error(`the stream said ${said}`);
}

/** Resolves once each of that many apps in this process has looked after its streams twice. */
export async function twoTicks(apps: number): Promise<void> {
  let ticks = 0;
  const unsubscribe = figures.subscribe(({ name }) => {
    if (name === 'latchkey_live_tabs') ticks += 1;
  });
  await vi.waitFor(
    () => {
      if (ticks <= 2 * apps) throw new Error(`${ticks} ticks so far`);
    },
    { timeout: longWaitMs, interval: 50 },
  );
  unsubscribe();
}
