import { expect, test, vi } from 'vitest';
import { SendDelay } from '../../src/features/mail/send-delay.ts';

test('sets no timer for a moment that has passed, of which Node warns', async () => {
  const timers = vi.spyOn(globalThis, 'setTimeout');
  try {
    await new SendDelay(0).store('ann@example.com', async () => {});
    expect(timers.mock.calls.map(([, ms]) => ms)).toEqual([0, 0]);
  } finally {
    timers.mockRestore();
  }
});
