import { expect, test } from 'vitest';
import { signIns } from '../../src/diagnostics.ts';
import { announceCodeOutcomes, auditAsked } from '../../src/features/email-code/audit-log.ts';
import { withheldReasons } from '../../src/features/email-code/rate-limits.ts';
import { createLogger } from '../../src/log.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { personEvents } from '../../src/shared/person-events.ts';
import { possibleOutcomes } from '../../src/shared/sign-in-outcomes.ts';
import { newAddress } from './code-login.ts';

/** What is published and logged about a code that was asked for. */
function auditOf(reason: Parameters<typeof auditAsked>[2], email: string) {
  const lines: string[] = [];
  const [outcomes, events]: object[][] = [[], []];
  const subscriptions = [
    signIns.subscribe((signIn) => void outcomes?.push(signIn)),
    personEvents.subscribe((event) => void events?.push(event)),
  ];
  const log = createLogger('info', { write: (line) => void lines.push(line) });
  auditAsked(log, { requestId: 'a', ip: '198.18.0.1' }, reason, email);
  for (const unsubscribe of subscriptions) unsubscribe();
  return { outcomes, events, lines: lines.map((line) => JSON.parse(line)) };
}

test('every outcome is counted from zero on', () => {
  const announced: string[] = [];
  const unsubscribe = possibleOutcomes.subscribe((outcome) => void announced.push(outcome));
  announceCodeOutcomes();
  unsubscribe();
  const names = [
    ...['signed in', 'not an address', 'not a code', 'wrong code', 'code no longer good'],
    ...['too often', 'enough guesses for now', 'no code is waited for'],
    ...withheldReasons.map((reason) => `code withheld: ${reason}`),
  ];
  expect(announced).toHaveLength(names.length);
  expect(announced).toEqual(expect.arrayContaining(names));
});

test('a code that is mailed is an event of the person, and no line of the log', () => {
  const email = newAddress();
  const { outcomes, events, lines } = auditOf(undefined, email);
  expect(events).toMatchObject([{ person: tagOf(email), request: 'a', what: 'code asked for' }]);
  expect([outcomes, lines]).toEqual([[], []]);
});

test.each(withheldReasons)('a code that is withheld for %s is counted, and logged at its level', (reason) => {
  const email = newAddress();
  const { outcomes, events, lines } = auditOf(reason, email);
  expect(events).toMatchObject([{ person: tagOf(email), request: 'a', what: `code withheld: ${reason}` }]);
  expect(outcomes).toEqual([{ outcome: `code withheld: ${reason}` }]);
  const level = reason === 'MAILS_PER_HOUR' ? 50 : 30;
  expect(lines).toMatchObject([
    { level, id: 'a', ip: '198.18.0.1', person: tagOf(email), reason, msg: 'code withheld' },
  ]);
});
