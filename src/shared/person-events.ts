import { newChannel } from '../diagnostics.ts';
import type { SessionLog } from '../log.ts';

/**
 * What happens to the codes, mails and keys of an address: `person` is its tag, `log` that of the app in which it happens.
 * A decoy takes the same work and leaves nothing, where one address has something to report and another has not.
 * @public for features: some publish events, and another may keep them.
 */
export const personEvents = newChannel<{
  log: SessionLog;
  person: string;
  request: string;
  what: string;
  /** Nothing has counted it, so it may not begin or prolong what is kept of an address: anybody can cause any number. */
  isRefusal?: boolean;
  isDecoy?: boolean;
}>('latchkey:person-event');
