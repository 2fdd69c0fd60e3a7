import { createInterface } from 'node:readline/promises';
import { NotConfirmed } from './command.ts';

const nothing = '\n'; // Typed by nobody; moves to the next line.

/**
 * Asks before something that can't be undone.
 * @param what such as `End every session?`
 * @throws {NotConfirmed} unless the operator types `yes`, or where nobody can be asked
 */
export async function confirm(what: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new NotConfirmed(`${what} This can't be undone. There is no terminal to confirm on; pass --yes.`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D close it. Some versions of Node then never answer the question, and the process would end with 0.
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve(nothing)));
  const question = `${what} This can't be undone. Type yes to continue: `;
  try {
    const answer = await Promise.race([terminal.question(question).catch(() => closed), closed]);
    if (answer === nothing) process.stderr.write(answer);
    if (answer.trim() !== 'yes') throw new NotConfirmed('Nothing was done.');
  } finally {
    terminal.close();
  }
}
