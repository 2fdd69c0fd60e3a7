import { expect, test } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { latchkeyOn } from './run-latchkey.ts';

// Nothing listens there: a mistake is found before anything is opened.
const latchkey = latchkeyOn('unix:///nowhere.sock');

test.each([
  [['sesions'], /^there is no command "sesions"$/],
  [['toString'], /^there is no command "toString"$/],
  [['sessions'], /^sessions needs an argument$/],
  [['sessions', 'ann'], /^"ann" is not an e-mail address$/],
  [['sessions', 'ann@example.com', 'bob@example.com'], /^sessions does not take "bob@example.com"$/],
  [['end', '--everone'], /'--everone'/],
  [['end', 'ann@example.com', '--session'], /--session/],
  [['end'], /^say whose sessions to end/],
])('a command line that is wrong: %j', async (words, message) => {
  const refused = latchkey(...words);
  await expect(refused).rejects.toBeInstanceOf(UsageError);
  await expect(refused).rejects.toThrow(message);
});

test.each([[[]], [['--help']], [['end', '--help']], [['help', 'end']]])('asks for help: %j', async (words) => {
  await expect(latchkey(...words)).rejects.toThrow('only help was asked for');
});
