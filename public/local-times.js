// Optional: shows each time on the visitor's own clock, in the page's language; without it, pages say UTC.
const language = document.documentElement.lang;
const locale =
  navigator.languages.find((candidate) => candidate.split('-')[0] === language) ??
  (language === 'en' ? 'en-GB' : language);
const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
const dayAndYear = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });

for (const time of document.querySelectorAll('time[datetime]')) {
  const moment = new Date(time.dateTime);
  const date = moment.getFullYear() === new Date().getFullYear() ? day : dayAndYear;
  time.textContent = `${date.format(moment)}, ${clock.format(moment)}`;
  time.lang = clock.resolvedOptions().locale;
  time.dir = 'auto';
}
