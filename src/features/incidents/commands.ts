import type { Command } from '../../cli/command.ts';
import { block, blocks } from './commands/block.ts';
import { count } from './commands/count.ts';
import { doctor } from './commands/doctor.ts';
import { end } from './commands/end.ts';
import { exportCommand, forget } from './commands/personal-data.ts';
import { sessions } from './commands/sessions.ts';
import { unblock } from './commands/unblock.ts';
import { why } from './commands/why.ts';

/** What `latchkey` can be told of sessions, limits and people, by name. */
export const commands: Record<string, Command> = {
  sessions,
  end,
  count,
  block,
  unblock,
  blocks,
  why,
  export: exportCommand,
  forget,
  doctor,
};
