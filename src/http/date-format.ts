import { now } from '../clock.ts';

const units = [
  { name: 'day', seconds: 86_400 },
  { name: 'hour', seconds: 3600 },
  { name: 'minute', seconds: 60 },
];

const twoDigits = Array.from({ length: 60 }, (_, count) => String(count).padStart(2, '0'));
/** The dates of the days formatted last: the sessions of a list share few, and a date is most of the work. */
const dates = new Map<number, { words: string; iso: string }>();

/** A moment in words, such as "Mon, 23 Nov 2026, 20:04 UTC". */
export function formatTime(milliseconds: number): string {
  return `${dateOf(milliseconds).words}, ${hourAndMinute(milliseconds)} UTC`;
}

/** A moment for the attribute `datetime` (ISO 8601), such as "2026-11-23T20:04:00Z". */
export function isoTime(milliseconds: number): string {
  return `${dateOf(milliseconds).iso}T${hourAndMinute(milliseconds)}:${twoDigits[Math.floor(milliseconds / 1000) % 60]}Z`;
}

function dateOf(milliseconds: number) {
  const day = Math.floor(milliseconds / 86_400_000);
  const known = dates.get(day);
  if (known) return known;
  const [iso, utc] = [new Date(milliseconds).toISOString(), new Date(milliseconds).toUTCString()];
  const date = { words: utc.replace(/ 0?(.+) \d\d:.+/, ' $1'), iso: iso.slice(0, 10) };
  if (dates.size === 100) dates.clear();
  dates.set(day, date);
  return date;
}

function hourAndMinute(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  return `${twoDigits[Math.floor(minutes / 60) % 24]}:${twoDigits[minutes % 60]}`;
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

function formatCount(seconds: number, unit = { name: 'second', seconds: 1 }): string {
  const count = Math.floor(seconds / unit.seconds);
  return `${count} ${unit.name}${count === 1 ? '' : 's'}`;
}
