import { parentPort, workerData } from 'node:worker_threads';
import type { Sealed } from './delivery.ts';
import { SmtpClient, type SmtpOptions } from './smtp-client.ts';

/** What the main thread asks for; each with a number, which the answer carries. */
export type ThreadCall =
  | { call: number; deliver: Sealed }
  | { call: number; check: true }
  | { call: number; close: true }
  | { breakOff: string };

const client = new SmtpClient(workerData as SmtpOptions);

parentPort?.on('message', async (message: ThreadCall) => {
  if ('breakOff' in message) return client.breakOff(message.breakOff);
  const { call } = message;
  if ('deliver' in message) parentPort?.postMessage({ call, value: await client.deliver(message.deliver) });
  else if ('check' in message) parentPort?.postMessage({ call, value: await client.check() });
  else parentPort?.postMessage({ call, value: await client.close() });
});
