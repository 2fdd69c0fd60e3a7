import { constants, fstatSync, openSync } from 'node:fs';
import { createLogger } from '../../log.ts';
import { LogOutput } from './log-output.ts';

let logLoss: (lines: number) => void = () => {};
const output = new LogOutput(openStandardOutput(), (lines) => logLoss(lines));

/** The log on standard output. Whatever becomes of that, the process goes on, and ends when it is asked to. */
export const createNonBlockingLogger: typeof createLogger = (level, destination, format) => {
  const log = createLogger(level, destination ?? output, format);
  logLoss = (lines) => log.error({ lines }, 'log lines were lost');
  return log;
};

// Whether writing waits for a reader is shared by all processes that have inherited standard output, and each start of a
// worker makes it wait again. Node itself lets terminals wait. Opened anew, it is ours alone.
function openStandardOutput(): number {
  const { isTTY, fd } = process.stdout;
  if (!isTTY && !fstatSync(fd).isFIFO()) return fd;
  try {
    return openSync('/dev/stdout', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}
