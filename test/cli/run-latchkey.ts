import { spawn } from 'node:child_process';
import { expect } from 'vitest';
import type { Given, Outcome } from '../../src/cli/command.ts';
import { readCommandLine } from '../../src/cli/command-line.ts';
import { commands } from '../../src/cli/commands.ts';
import { newOperator } from '../../src/cli/operator.ts';
import { readConfig } from '../../src/config.ts';
import { afterwards } from '../support/afterwards.ts';
import { builtFile, newDirectory, systemEnvironment } from '../support/process.ts';

/** One that the environment can carry: the tests' usual one has a comma in it. */
export const cliSecret = 'a secret for the commands of 32 characters and more';

type Ended = { code: number | null; stdout: string; stderr: string };

/**
 * Runs the built `latchkey` in a process of its own, without a terminal.
 * @param to where its answer goes: a file, or a reader that has left before it comes
 */
export function runLatchkey(
  words: string[],
  env: Record<string, string>,
  to: 'reader' | 'nobody' | number = 'reader',
): Promise<Ended> {
  const child = spawn(process.execPath, [builtFile('cli/latchkey.js'), ...words], {
    cwd: newDirectory('cli-'),
    env: { ...systemEnvironment(), SESSION_SECRET: cliSecret, ...env },
    stdio: ['ignore', typeof to === 'number' ? to : 'pipe', 'pipe'],
  });
  if (to === 'nobody') child.stdout?.destroy();
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => {
    ended.stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    ended.stderr += chunk;
  });
  return new Promise((done) => child.once('close', (code) => done({ ...ended, code })));
}

/** Runs the built `latchkey` on a terminal, where these keys are pressed once it asks for something. */
export function typeToLatchkey(
  keys: string,
  words: string[],
  env: Record<string, string>,
): Promise<Omit<Ended, 'stderr'>> {
  const command = [process.execPath, builtFile('cli/latchkey.js'), ...words].map((word) => `'${word}'`).join(' ');
  // Ends with the exit code of the command.
  const child = spawn('script', ['-q', '-e', '-c', command, '/dev/null'], {
    cwd: newDirectory('cli-'),
    env: { ...systemEnvironment(), SESSION_SECRET: cliSecret, ...env },
  });
  let shown = '';
  let isAsked = false;
  child.stdout.on('data', (chunk) => {
    shown += chunk;
    if (isAsked || !shown.includes('continue: ')) return;
    isAsked = true;
    child.stdin.write(keys);
  });
  return new Promise((done) => child.once('close', (code) => done({ code, stdout: shown })));
}

/** Runs commands in this process, on the Redis at this unix socket. */
export function latchkeyOn(
  redisUrl: string,
  env: Record<string, string> = {},
): (...words: string[]) => Promise<Outcome & { json: unknown }> {
  const config = readConfig({ NODE_ENV: 'test', SESSION_SECRET: cliSecret, REDIS_URL: redisUrl, ...env });
  const operator = newOperator(config, { actor: { user: 'olga', from: 'desk' }, yes: true });
  afterwards(() => operator.close());
  return async (...words) => {
    const line = readCommandLine(commands, words);
    if (!line) throw new Error('only help was asked for');
    const given: Given = line.given;
    const outcome = await line.command.run(given, operator);
    expect(JSON.parse(JSON.stringify(outcome.json))).toBeTypeOf('object');
    return outcome;
  };
}
