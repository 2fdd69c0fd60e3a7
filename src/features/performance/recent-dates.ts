import { RecentCache } from './recent-cache.ts';

type Words = { formatTime: (milliseconds: number) => string; isoTime: (milliseconds: number) => string };
type DateWords = { words: string; iso: string };

const maxDates = 50;
const twoDigits = Array.from({ length: 60 }, (_, count) => String(count).padStart(2, '0'));

/**
 * Remembers how the dates of the days formatted last are written: the sessions of a list share few, and the date is most of
 * the work.
 * @param words its functions are replaced by ones that return the same texts
 */
export function rememberDates(words: Words): void {
  const { formatTime, isoTime } = words;
  const recent = new RecentCache<DateWords>(maxDates);

  function dateOf(milliseconds: number): DateWords {
    const day = String(Math.floor(milliseconds / 86_400_000));
    const known = recent.get(day);
    if (known) return known;
    const date = {
      words: formatTime(milliseconds).slice(0, -', 20:04 UTC'.length),
      iso: isoTime(milliseconds).slice(0, '2026-11-23'.length),
    };
    recent.set(day, date);
    return date;
  }

  words.formatTime = (milliseconds) => `${dateOf(milliseconds).words}, ${hourAndMinute(milliseconds)} UTC`;
  words.isoTime = (milliseconds) => {
    const seconds = twoDigits[Math.floor(milliseconds / 1000) % 60];
    return `${dateOf(milliseconds).iso}T${hourAndMinute(milliseconds)}:${seconds}Z`;
  };
}

function hourAndMinute(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  return `${twoDigits[Math.floor(minutes / 60) % 24]}:${twoDigits[minutes % 60]}`;
}
