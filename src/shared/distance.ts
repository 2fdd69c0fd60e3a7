import { now } from '../clock.ts';

/**
 * How far away a moment is, in milliseconds. Once the clock has been set back, a moment of the past lies in the future: an age
 * below zero would make it count as recent until the clock has caught up.
 * @public for the features that ask how recent something is
 */
export function distanceMs(momentMs: number): number {
  return Math.abs(now() - momentMs);
}
