const clock = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
});

type Unit = { name: string; seconds: number };

const second: Unit = { name: 'second', seconds: 1 };
const units: Unit[] = [
  { name: 'day', seconds: 86_400 },
  { name: 'hour', seconds: 3600 },
  { name: 'minute', seconds: 60 },
];

/** A moment in words, such as "Mon, 23 Nov 2026, 20:04 UTC". */
export function formatTime(millisecondsSinceEpoch: number): string {
  return `${clock.format(millisecondsSinceEpoch)} UTC`;
}

/** A duration in words, exactly: in the largest unit that divides it evenly, such as "90 minutes". */
export function formatDuration(seconds: number): string {
  const unit = units.find((candidate) => seconds % candidate.seconds === 0);
  return formatCount(seconds, unit ?? second);
}

/** How long ago a moment was, such as "5 minutes ago"; "just now" within the precision of a session's last touch. */
export function formatAgo(millisecondsSinceEpoch: number): string {
  const seconds = Math.floor((Date.now() - millisecondsSinceEpoch) / 1000);
  if (seconds < 90) return 'just now';
  const unit = units.find((candidate) => seconds >= candidate.seconds);
  return `${formatCount(seconds, unit ?? second)} ago`;
}

function formatCount(seconds: number, unit: Unit): string {
  const count = Math.floor(seconds / unit.seconds);
  return `${count} ${unit.name}${count === 1 ? '' : 's'}`;
}
