import { commands as incidentCommands } from '../features/incidents/commands.ts';
import type { Command } from './command.ts';
import { passkeyCommands } from './passkeys.ts'; // feature: passkeys

/** What `latchkey` can be told, by name. */
export const commands: Record<string, Command> = {
  ...incidentCommands,
  ...passkeyCommands, // feature: passkeys
};
