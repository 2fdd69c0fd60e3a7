import { afterEach, expect, test, vi } from 'vitest';
import { correctClock } from '../../src/clock.ts';
import { Challenges } from '../../src/features/passkeys/challenges.ts';
import { connectNode, testSecret } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';

const challenges = new Challenges(await connectNode(await testRedis()), [testSecret]);

afterEach(() => {
  vi.useRealTimers();
  correctClock(0);
});

test.each([11, -11])(
  'a challenge is good at a process whose clock is %i minutes ahead, as far as that is known',
  (minutes) => {
    const issued = challenges.issue('sign-in', 'browser');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 });
    expect(challenges.isGood(issued, 'sign-in', 'browser')).toBe(false);
    correctClock(minutes * 60_000);
    expect(challenges.isGood(issued, 'sign-in', 'browser')).toBe(true);
    const answered = challenges.issue('sign-in', 'browser');
    vi.useRealTimers();
    correctClock(0);
    expect(challenges.isGood(answered, 'sign-in', 'browser')).toBe(true);
  },
);
