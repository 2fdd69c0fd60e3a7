#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { ConfigError, readConfig, sources } from '../config.ts';
import { projectDirectory } from '../project-directory.ts';
import { currentActor } from './actor.ts';
import { type ExitCode, exitCodes, NotConfirmed, reasonOf, UsageError } from './command.ts';
import { readCommandLine, usageText } from './command-line.ts';
import { commands } from './commands.ts';
import { newOperator } from './operator.ts';

const words = process.argv.slice(2);
const namedCommand = words.find((word) => Object.hasOwn(commands, word));
void run()
  .catch(explain)
  .then((exitCode) => {
    process.exitCode = exitCode;
  });

async function run(): Promise<ExitCode> {
  if (words[0] === '--version') {
    const { version } = JSON.parse(readFileSync(new URL('package.json', projectDirectory), 'utf8'));
    process.stdout.write(`${version}\n`);
    return exitCodes.done;
  }
  const line = readCommandLine(commands, words);
  if (!line) {
    process.stdout.write(usageText(commands, namedCommand));
    return exitCodes.done;
  }
  const { command, given, json, yes } = line;
  const { env, problems, warnings } = sources.read(process.env);
  const config = readConfig(env, problems);
  const operator = newOperator(config, { actor: currentActor(process.env), warnings, yes });
  try {
    const { text, json: value, exitCode = exitCodes.done } = await command.run(given, operator);
    process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : text);
    for (const notice of operator.notices()) console.error(`latchkey: ${notice}`);
    return exitCode;
  } finally {
    await operator.close();
  }
}

function explain(error: unknown): ExitCode {
  if (error instanceof UsageError) {
    console.error(`latchkey: ${error.message}\n\n${usageText(commands, namedCommand)}`);
    return exitCodes.wrongUsage;
  }
  if (error instanceof NotConfirmed) {
    console.error(`latchkey: ${error.message}`);
    return exitCodes.notConfirmed;
  }
  if (error instanceof ConfigError) console.error(`latchkey: ${error.problems.join('\nlatchkey: ')}`);
  else console.error(`latchkey: ${reasonOf(error)}`);
  return exitCodes.failed;
}
