import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { SessionLog } from './log.ts';

/** The calls to Redis that visitors wait for, as Node traces them: `tracing:latchkey:redis-call:start` and so on. */
export const redisCalls = tracingChannel('latchkey:redis-call');

/**
 * Each sign-in, when it is decided: `signed in`, or why not. `person` is the tag of the address, where there is one, and
 * `log` that of the app in which it happens.
 */
export const signIns = newChannel<{
  outcome: string;
  log?: SessionLog;
  person?: string | undefined;
  session?: string;
  request?: string;
  ip?: string | undefined;
}>('latchkey:sign-in');

/** Each sign-in, once its session is stored; `session` is its public handle. */
export const signedIn = newChannel<{ email: string; device: string; remember: boolean; session: string }>(
  'latchkey:signed-in',
);

/** A diagnostics channel, which costs nothing without subscribers; `subscribe` returns what ends the subscription. */
export function newChannel<Message>(name: string) {
  const inner = channel(name);
  return {
    publish: (message: Message) => inner.publish(message),
    subscribe(listener: (message: Message) => void): () => void {
      const receive = (message: unknown) => listener(message as Message);
      inner.subscribe(receive);
      return () => void inner.unsubscribe(receive);
    },
  };
}
