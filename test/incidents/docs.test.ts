import { expect, test } from 'vitest';
import { exitCodes } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands.ts';
import { commandPermissions } from '../../src/features/incidents/settings.ts';
import { measured, read, rowsBelow } from '../support/documents.ts';

const page = read('docs/incidents.md');

test('the page tells of every command, and of none that there is not', () => {
  const named = [...page.matchAll(/`latchkey ([a-z-]+)/g)].map(([, name]) => name);
  expect([...new Set(named)].sort()).toEqual(Object.keys(commands).sort());
});

test('the exit codes are documented', () => {
  expect(rowsBelow('docs/incidents.md', 'code | meaning').map(([code]) => Number(code))).toEqual(
    Object.values(exitCodes),
  );
});

test('the permissions that the commands need besides are documented', () => {
  const needed = Object.keys(commandPermissions).sort();
  expect(page).toContain(`\n${needed.map((name) => `+${name}`).join(' ')}\n`);
});

test('the times are stated as they were measured', () => {
  const rows = rowsBelow('docs/incidents.md', 'command | output | s');
  expect(rows.length).toBeGreaterThan(9);
  for (const [command = '', ...cells] of rows) expect(measured('incidents', command)).toEqual([cells]);
});
