import { expect, test } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { readCommandLine, usageText } from '../../src/cli/command-line.ts';
import { commands } from '../../src/cli/commands.ts';
import { latchkeyOn } from './run-latchkey.ts';

// Nothing listens there: a mistake is found before anything is opened.
const latchkey = latchkeyOn('unix:///nowhere.sock');

test.each([
  [['sesions'], /^there is no command "sesions"$/],
  [['toString'], /^there is no command "toString"$/],
  [['json', 'count'], /^there is no command "json"$/],
  [['--everyone', 'end'], /^there is no command "--everyone"$/],
  [['sessions'], /^sessions needs an argument$/],
  [['sessions', 'ann'], /^"ann" is not an e-mail address$/],
  [['sessions', 'ann@example.com', 'bob@example.com'], /^unexpected argument "bob@example.com"$/],
  [['end', '--everone'], /'--everone'/],
  [['end', 'ann@example.com', '--session'], /--session/],
  [['end', 'ann@example.com', '--session', '--yes'], /--session/],
  [['end', 'ann@example.com', '--session', 'a', '--session', 'b'], /^--session may be given only once$/],
  [['end', 'ann@example.com', '--session=a', '--session', '-b'], /^--session may be given only once$/],
  [['end'], /^say whose sessions to end/],
])('a command line that is wrong: %j', async (words, message) => {
  const refused = latchkey(...words);
  await expect(refused).rejects.toBeInstanceOf(UsageError);
  await expect(refused).rejects.toThrow(message);
});

test.each(['-x_1', '--x-', '-', 'x-1'])('the value of an option may begin with a dash: %s', (session) => {
  const words = ['end', 'ann@example.com', '--session', session, '--yes'];
  expect(readCommandLine(commands, words)).toMatchObject({
    given: { operands: ['ann@example.com'], values: { session } },
    yes: true,
  });
});

test('options that every command takes may stand before its name', () => {
  expect(readCommandLine(commands, ['--json', 'count', '--yes'])).toMatchObject({
    name: 'count',
    json: true,
    yes: true,
  });
});

test.each([
  [[]],
  [['--help']],
  [['end', '--help']],
  [['help', 'end']],
  [['-h', 'end']],
  [['--json']],
  [['--help', 'x']],
])('asks for help: %j', async (words) => {
  await expect(latchkey(...words)).rejects.toThrow('only help was asked for');
});

test('help says what asks for confirmation, and nothing of what does not', () => {
  expect(usageText(commands)).toMatch(/"end --everyone", .*"forget"/); // feature: passkeys
  expect(usageText(commands)).toMatch(/"end --everyone".*"forget".* can't be undone: confirm on the terminal/);
  expect(usageText(commands, 'end')).toMatch(/json\. "end --everyone" can't be undone: .*--yes\.\n$/);
  expect(usageText(commands, 'sessions')).toMatch(/\n\nEvery command takes --json\.\n$/);
});
