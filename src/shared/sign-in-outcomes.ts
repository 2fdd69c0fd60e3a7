import { newChannel } from '../diagnostics.ts';

/** What may become of sign-ins here, before it first does: so each can be counted from zero on. @public for features */
export const possibleOutcomes = newChannel<string>('latchkey:sign-in-outcome');

/** Announces outcomes of sign-ins. @public for features */
export function announceOutcomes(...outcomes: string[]): void {
  for (const outcome of outcomes) possibleOutcomes.publish(outcome);
}
