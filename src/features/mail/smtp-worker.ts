import { parentPort, workerData } from 'node:worker_threads';
import { errorWithoutMessage, type LoggedError, type Sealed } from './delivery.ts';
import { SmtpClient, type SmtpOptions } from './smtp-client.ts';

/** What the main thread asks for. Each call has a number, which its answer repeats. */
export type ThreadCall =
  | { call: number; deliver: Sealed }
  | { call: number; check: { isTest: boolean } }
  | { call: number; close: true }
  | { breakOff: string };

/**
 * `typicalMs` is how long a mail takes. The next thread starts with it, so that even its first withheld mail takes as long.
 */
export type ThreadAnswer = { call: number; typicalMs: number } & ({ value: unknown } | { error: LoggedError });

type Call = Extract<ThreadCall, { call: number }>;

// scripts/bundle.mjs runs each program once, and expects this error of this one.
if (!parentPort) throw new Error('smtp-worker runs in a thread of the server');
const port = parentPort;
const client = new SmtpClient(workerData as SmtpOptions);

port.on('message', (message: ThreadCall) => {
  if ('breakOff' in message) return client.breakOff(message.breakOff);
  const { call } = message;
  const answer = (result: { value: unknown } | { error: LoggedError }) =>
    port.postMessage({ call, typicalMs: client.typicalMs, ...result } satisfies ThreadAnswer);
  // An unhandled rejection would end the thread, and fail the deliveries of all other mails.
  perform(message).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ error: errorWithoutMessage(error) }),
  );
});

async function perform(call: Call): Promise<unknown> {
  if ('deliver' in call) return client.deliver(call.deliver);
  if ('check' in call) return client.check(call.check.isTest);
  return client.close();
}
