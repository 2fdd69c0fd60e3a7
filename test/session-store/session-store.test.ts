import { describe, expect, test } from 'vitest';
import { SessionStore, sessions } from '../../src/features/session-store/index.ts';
import { newSessionId, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { connectNode, testRedis } from '../support/app.ts';
import { plainData } from '../support/store-contract.ts';

const redis = await connectNode(await testRedis());
const limits = { idleSeconds: 1800, absoluteSeconds: 3600, rememberIdleSeconds: 7200, rememberAbsoluteSeconds: 9000 };
const store = new SessionStore({ redis, limits, https: false });

test('an address has 50 sessions where nothing else is said', async () => {
  const email = address('ann@example.com');
  for (let count = 1; count <= 52; count += 1) {
    const times = { signedInAt: Date.now(), lastSeenAt: Date.now() };
    await store.set(newSessionId(tagOf(email)), { ...plainData(), email, ...times, remember: false });
  }
  expect(await store.index.list(email)).toHaveLength(50);
});

describe('what would leave sessions open is refused at once', () => {
  test.each([[[]], [['']], [['short']], [['x'.repeat(32), 'short']], [[undefined]]])('secrets %j', (secrets) => {
    const unchecked = secrets as unknown as [string];
    expect(() => sessions({ store, secrets: unchecked })).toThrow('secrets of at least 32 characters');
  });

  test.each([
    { idleSeconds: undefined },
    { absoluteSeconds: undefined },
    { rememberIdleSeconds: undefined },
    { rememberAbsoluteSeconds: Number.NaN },
    { idleSeconds: 0 },
    { idleSeconds: -1 },
    { idleSeconds: 3601 },
    { rememberIdleSeconds: 9001 },
    { rememberAbsoluteSeconds: Number.POSITIVE_INFINITY },
  ])('limits with %j', (wrong) => {
    const unchecked = { ...limits, ...wrong } as typeof limits;
    expect(() => new SessionStore({ redis, limits: unchecked, https: false })).toThrow(RangeError);
  });
});
