import { channel } from 'node:diagnostics_channel';
import type { SessionLog } from './log.ts';

/** Events for whoever subscribes, such as a feature that counts them. They cost nothing without subscribers. */
type Channel<Message> = {
  publish: (message: Message) => void;
  /** @returns what ends it */
  subscribe: (listener: (message: Message) => void) => () => void;
  readonly hasListeners: boolean;
};

/** Each call to Redis, when it is over; `startedAt` is in milliseconds of `performance.now()`. */
export const redisCalls = newChannel<{ ok: boolean; startedAt: number; seconds: number }>('latchkey:redis-call');

/** Each sign-in, when it is decided: `signed in`, or why not. `isZero` announces an outcome that has yet to happen. */
export const signIns = newChannel<{ outcome: string; isZero?: true }>('latchkey:sign-in');

/** Lets outcomes be counted from zero on, before the first sign-in that has one. */
export function announceOutcomes(...outcomes: string[]): void {
  for (const outcome of outcomes) signIns.publish({ outcome, isZero: true });
}

/** Each sign-in, once its session is stored; `session` is its public handle. */
export const signedIn = newChannel<{ email: string; device: string; remember: boolean; session: string }>(
  'latchkey:signed-in',
);

/**
 * What happens to the sign-ins and mails of an address: `person` is its tag, `log` that of the app in which it happens.
 * A decoy takes the same work and leaves nothing, where one address has something to report and another has not.
 */
export const personEvents = newChannel<{
  log: SessionLog;
  person: string;
  request: string;
  what: string;
  /** Of the client, where it has signed in. */
  ip?: string | undefined;
  /** Nothing has counted it, so it may not begin or prolong what is kept of an address: anybody can cause any number. */
  isRefusal?: boolean;
  isDecoy?: boolean;
}>('latchkey:person-event');

/**
 * A figure that a feature keeps for the operator: `add` counts, `set` replaces, `observe` measures. One that is
 * published with 0, or observed with undefined, as the process starts is there before anything happens.
 */
export type Figure = { name: string; help: string; labels?: Record<string, string> } & (
  | { add: number }
  | { set: number }
  | { observe: number | undefined; buckets: number[] }
);
/** @public for features: some publish figures, and another may show them. */
export const figures = newChannel<Figure>('latchkey:figure');

function newChannel<Message>(name: string): Channel<Message> {
  const inner = channel(name);
  return {
    publish: (message) => inner.publish(message),
    subscribe(listener) {
      const receive = (message: unknown) => listener(message as Message);
      inner.subscribe(receive);
      return () => void inner.unsubscribe(receive);
    },
    get hasListeners() {
      return inner.hasSubscribers;
    },
  };
}
