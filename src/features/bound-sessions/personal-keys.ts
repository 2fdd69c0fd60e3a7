import type { PersonalKeys } from '../../shared/operations.ts';

/** What bound sessions hold about a person, besides the key in each session's own record. */
export const boundSessionKeys: PersonalKeys = {
  kind: 'bound sessions',
  prefix: 'b:{tag}',
  describe(name, value) {
    const [, what = '', session] = /\}(\w+):([\w-]+)$/.exec(name) ?? [];
    switch (what) {
      case 'tries':
        return { session, refusedTries: Number(value) };
      case 'doubt':
        return { session, withoutProofSince: new Date(Number(value)) };
      case 'proved':
        return { session, provedAt: new Date(Number(value)) };
      default:
        return { usedChallenge: session };
    }
  },
};
