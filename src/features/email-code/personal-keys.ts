import { handleOf, tagIn } from '../../session/session-id.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import { pending } from './known-browsers.ts';

/** What sign-in by code holds about a person. By which browsers an address is known stands in their cookies only. */
export const emailCodeKeys: PersonalKeys[] = [
  {
    kind: 'codes',
    prefix: 'c:{tag}',
    describe: (_name, record) => ({ state: String(record).startsWith('1 w') ? 'waits to be entered' : 'used' }),
  },
  {
    kind: 'browsers',
    prefix: 'd:{tag}',
    describe: (_name, value) => ({
      state: value === pending ? 'waits for the notice to be delivered' : 'made new again',
    }),
  },
  {
    kind: 'counters',
    prefix: 'l:{tag}',
    // Of a browser, the id is left out: its cookie holds the same.
    describe: (name, used) => ({
      counter: name.slice(name.indexOf('}') + 1).replace(/:[\w-]{22}:/, ':'),
      used: Number(used),
    }),
  },
  {
    kind: 'links that end a session',
    prefix: 'n:',
    describe(_name, record, { tag }) {
      const [sessionId = ''] = String(record).split(' ');
      return tagIn(sessionId) === tag ? { session: handleOf(sessionId) } : undefined;
    },
  },
];
