import { handleOf, tagIn } from '../../session/session-id.ts';
import type { PersonalKeys } from '../../shared/operations.ts';

/** What the gate holds about a person: the sites that each session has opened, and tickets on their way to one. */
export const gateKeys: PersonalKeys[] = [
  {
    kind: 'opened sites',
    prefix: '{tag}sites:',
    describe: (name, sites) => ({ session: name.slice(name.lastIndexOf(':') + 1), sites }),
  },
  {
    kind: 'tickets for sites',
    prefix: 'g:',
    describe(_name, ticket, { tag }) {
      const [sessionId = '', , site] = String(ticket).split(' ');
      return tagIn(sessionId) === tag ? { session: handleOf(sessionId), site } : undefined;
    },
  },
];
