// What the driver and its workers tell each other, as lines of JSON over a socket.

import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Runs a test file, or some of its tests, with a mutant or with none. */
export type Task = {
  file: string;
  /** Default: none, and what the tests reach is noted. */
  mutant?: string;
  /** Default: all. */
  testIds?: string[];
  /** Whether modules are evaluated anew: what runs while they load is otherwise not mutated. */
  reload: boolean;
  /** How long a test or a hook may take. */
  timeoutMs?: number;
};

export type Result = {
  /** The first test that failed, or what else did, and why. */
  failure?: string;
  /** The id of that test. */
  failedTest?: string;
  isTimeout: boolean;
  /** The mutants that were reached while modules loaded. */
  reachedByLoading: string[];
  /** Those that were reached by hooks, or by the test file before its tests. */
  reachedOutsideTests: string[];
  reachedByTests: Record<string, string[]>;
  /** How long each test took. */
  testMs: Record<string, number>;
};

/** Where the driver listens, and what the sources are to be replaced with, by absolute paths. */
export type Job = { socket: string; code: Record<string, string> };

/** In place of a test's id, for what runs between tests. */
export const outsideTests = 'outside tests';

export function send(socket: Socket, message: Task | Result): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

export async function* receive<Message extends Task | Result>(socket: Socket): AsyncGenerator<Message> {
  for await (const line of createInterface({ input: socket })) yield JSON.parse(line);
}
