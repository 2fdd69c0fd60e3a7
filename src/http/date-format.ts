import { now } from '../clock.ts';

const clock = new Intl.DateTimeFormat('en-GB', {
  ...{ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
  ...{ hour: '2-digit', minute: '2-digit', timeZone: 'UTC', timeZoneName: 'short' },
});
const second = { name: 'second', seconds: 1 };
const units = [
  { name: 'day', seconds: 86_400 },
  { name: 'hour', seconds: 3600 },
  { name: 'minute', seconds: 60 },
];

/** A moment in words, such as "Mon, 23 Nov 2026, 20:04 UTC". */
export function formatTime(millisecondsSinceEpoch: number): string {
  return clock.format(millisecondsSinceEpoch);
}

/** A duration in words, exactly: in the largest unit that divides it evenly, such as "90 minutes". */
export function formatDuration(seconds: number): string {
  const unit = units.find((candidate) => seconds % candidate.seconds === 0);
  return formatCount(seconds, unit);
}

/** How long ago a moment was, such as "5 minutes ago"; "just now" within the precision of a session's last touch. */
export function formatAgo(millisecondsSinceEpoch: number): string {
  const seconds = Math.floor((now() - millisecondsSinceEpoch) / 1000);
  const unit = units.find((candidate) => seconds >= candidate.seconds);
  return seconds < 90 ? 'just now' : `${formatCount(seconds, unit)} ago`;
}

function formatCount(seconds: number, unit = second): string {
  const count = Math.floor(seconds / unit.seconds);
  return `${count} ${unit.name}${count === 1 ? '' : 's'}`;
}
