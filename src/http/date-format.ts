import { now } from '../clock.ts';

const units = [
  { name: 'day', seconds: 86_400 },
  { name: 'hour', seconds: 3600 },
  { name: 'minute', seconds: 60 },
];

/** A moment in words, such as "Mon, 23 Nov 2026, 20:04 UTC". */
export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toUTCString().replace(/ 0?(.+) (\d\d:\d\d):.+/, ' $1, $2 UTC');
}

/** A moment for the attribute `datetime` (ISO 8601), such as "2026-11-23T20:04:00Z". */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+/, '');
}

/** A duration in words, exactly: in the largest unit that divides it evenly, such as "90 minutes". */
export function formatDuration(seconds: number): string {
  const unit = units.find((candidate) => seconds % candidate.seconds === 0);
  return formatCount(seconds, unit);
}

/** How long before `nowMs` a moment was, such as "5 minutes ago"; "just now" within the precision of a session's last touch. */
export function formatAgo(momentMs: number, nowMs = now()): string {
  const seconds = Math.floor((nowMs - momentMs) / 1000);
  const unit = units.find((candidate) => seconds >= candidate.seconds);
  return seconds < 90 ? 'just now' : `${formatCount(seconds, unit)} ago`;
}

function formatCount(seconds: number, unit = { name: 'second', seconds: 1 }): string {
  const count = Math.floor(seconds / unit.seconds);
  return `${count} ${unit.name}${count === 1 ? '' : 's'}`;
}
