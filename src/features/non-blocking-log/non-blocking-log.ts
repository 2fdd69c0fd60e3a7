import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { createLogger } from '../../log.ts';
import { LogOutput } from './log-output.ts';

let logLoss: (lines: number) => void = () => {};
const stopBlockingErrors = unblock(process.stderr);
// It may lead to the same full pipe as the log.
const errorOutput = openAnew('/dev/stderr', process.stderr);
const output = new LogOutput(openAnew('/dev/stdout', process.stdout), {
  stopBlocking: unblock(process.stdout),
  warn: (text) => {
    try {
      stopBlockingErrors();
      writeSync(errorOutput, text);
    } catch {
      // There is nobody left to tell.
    }
  },
  reportLoss: (lines) => logLoss(lines),
});

/** The log on standard output. Whatever becomes of that, the process goes on, and ends when it is asked to. */
export const createNonBlockingLogger: typeof createLogger = (level, destination, format) => {
  const log = createLogger(level, destination ?? output, format);
  logLoss = (lines) => log.error({ lines }, 'log lines were lost');
  return log;
};

// Whether writing waits for a reader is shared by all processes that have inherited a descriptor, and each start and each
// end of a worker makes it wait again. Node itself lets terminals wait. Opened anew, it is ours alone.
function openAnew(path: string, { isTTY, fd }: { isTTY: boolean; fd: number }): number {
  if (!isTTY && !fstatSync(fd).isFIFO()) return fd;
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}

// A socket, such as the journal's, can't be opened anew. Node has no documented way to say that writing must not wait.
function unblock(stream: { fd: number; _handle?: { setBlocking?: (isBlocking: boolean) => void } }): () => void {
  return fstatSync(stream.fd).isSocket() ? () => stream._handle?.setBlocking?.(false) : () => {};
}
