import type { ParseArgsConfig } from 'node:util';
import type { Operator } from './operator.ts';

/** What a command leaves behind: for people, for scripts, and as exit code. */
export type Outcome = {
  /** Plain text, printed unless `--json` is given. */
  text: string;
  json: unknown;
  exitCode?: ExitCode;
};

/** How a command ended; docs/incidents.md lists them. */
export const exitCodes = { done: 0, failed: 1, wrongUsage: 2, notConfirmed: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What stands on the command line behind the command's name. */
export type Given = { operands: string[]; values: Record<string, string | boolean | undefined> };

export type Command = {
  /** Each form of it, as it is typed behind `latchkey`. */
  usage: string[];
  /** What it does, in one line. */
  about: string;
  options?: NonNullable<ParseArgsConfig['options']>;
  /** What can't be undone, as it is typed: the whole command, or one form of it. It asks first. */
  asksFirst?: string;
  /** How many operands it takes, from and to. */
  operands: [min: number, max: number];
  run: (given: Given, operator: Operator) => Promise<Outcome>;
};

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isFull = error.cause instanceof Error && error.cause.message.startsWith('OOM ');
  return isFull ? 'Redis is full (OOM): raise maxmemory' : withCause(error);
}

/** The message of an error, followed by that of its cause. */
export function withCause({ message, cause }: { message: string; cause?: unknown }): string {
  return cause instanceof Object && 'message' in cause ? `${message} (${cause.message})` : message;
}

/** The command line is wrong: the message says how, and the usage is printed below it. */
export class UsageError extends Error {}

/** The operator did not agree, or could not be asked. */
export class NotConfirmed extends Error {}
