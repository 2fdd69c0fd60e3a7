const clock = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
});

const units = [
  { name: 'day', seconds: 86_400 },
  { name: 'hour', seconds: 3600 },
  { name: 'minute', seconds: 60 },
];

/** A moment in words, such as "Mon, 23 Nov 2026, 20:04 UTC". */
export function timeWords(millisecondsSinceEpoch: number): string {
  return `${clock.format(millisecondsSinceEpoch)} UTC`;
}

/** A length of time in words, in its largest whole unit, such as "30 minutes". */
export function durationWords(seconds: number): string {
  const unit = units.find((candidate) => seconds >= candidate.seconds) ?? { name: 'second', seconds: 1 };
  const count = Math.round(seconds / unit.seconds);
  return `${count} ${unit.name}${count === 1 ? '' : 's'}`;
}

/** How long ago a moment was, such as "5 minutes ago"; "now" within the minute to which sessions are exact. */
export function agoWords(millisecondsSinceEpoch: number): string {
  const seconds = Math.floor((Date.now() - millisecondsSinceEpoch) / 1000);
  return seconds < 90 ? 'just now' : `${durationWords(seconds)} ago`;
}
